pub(crate) mod formats;
