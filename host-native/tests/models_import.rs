//! Wheels become exactly the model file that the format describes.

mod models_support;

use std::fs;

use auricle::models::{self, ChannelCounts, ImportOptions, Quantization};
use models_support::tiny::{self, Numbers};
use models_support::{Place, all_quantizations, assert_same_bytes, files_in, gguf, sha256, wheel};

#[test]
fn a_wheel_becomes_exactly_the_file_that_the_format_describes() {
    let place = Place::new();
    let tensors = tiny::tensors();
    let path = place.wheel(&tensors);
    let installed = place.import(&path, &all_quantizations()).unwrap();
    let source = format!("some_voice-1.2.3 wheel, sha256:{}", sha256(&fs::read(&path).unwrap()));
    let card = gguf::Card { name: wheel::NAME, languages: &["und"], source: &source };
    for (quantization, file) in Quantization::ALL.into_iter().zip(&installed) {
        let expected = gguf::model(&tensors, quantization.as_str(), &card);
        let found = fs::read(&file.path).unwrap();
        assert_same_bytes(&found, &expected);
        assert_eq!(file.sha256, sha256(&expected));
        assert_eq!(file.size_bytes, expected.len() as u64);
        assert_eq!(file.path, place.home.model_path(wheel::NAME, quantization));
        assert!(!file.already_there);
    }
    assert_eq!(files_in(&place.home).len(), 3);
}

#[test]
fn importing_twice_gives_the_same_bytes() {
    let place = Place::new();
    let path = place.wheel(&tiny::tensors());
    let first = place.import(&path, &all_quantizations()).unwrap();
    let second = place.import(&path, &ImportOptions { force: true, ..all_quantizations() }).unwrap();
    assert_eq!(first, second);
}

#[test]
fn integers_within_127_of_the_zero_point_are_kept_and_others_rounded_half_to_even() {
    let place = Place::new();
    let mut tensors = tiny::tensors();
    let name = "model.encoder.layers.0.mlp.fc2.weight";
    let scale = 2.0_f32.powi(-7);
    let mut integers = vec![1_u8; 16 * 4];
    // From the zero point 1: exactly at the limit; zeros; one beyond, so that all are halved.
    integers[..4].copy_from_slice(&[128, 0, 1, 2]);
    integers[8..12].copy_from_slice(&[255, 2, 4, 6]);
    integers[12..16].copy_from_slice(&[129, 1, 0, 3]);
    tiny::get(&mut tensors, name).numbers = Numbers::Affine { integers, scale, zero_point: 1 };
    let path = place.wheel(&tensors);
    let installed = place.import(&path, &ImportOptions::default()).unwrap();

    let bytes = fs::read(&installed[0].path).unwrap();
    let models::Inspection::Gguf(header) = models::inspect(&installed[0].path).unwrap() else { panic!("a GGUF file") };
    let stored = |name: &str| {
        let tensor = header.tensors.iter().find(|tensor| tensor.name == name).unwrap();
        &bytes[tensor.offset as usize..][..tensor.size_bytes.unwrap() as usize]
    };
    let scales: Vec<f32> =
        stored(&format!("{name}_scale")).as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let integers: Vec<i8> = stored(name).iter().map(|byte| byte.cast_signed()).collect();
    assert_eq!(integers[..4], [127, -1, 0, 1]);
    assert_eq!(scales[0], scale);
    assert_eq!(integers[4..8], [0, 0, 0, 0]);
    assert_eq!(scales[1], scale);
    // 254, 1, 3 and 5 halves: 0.5 goes to 0, 1.5 and 2.5 to 2.
    assert_eq!(integers[8..12], [127, 0, 2, 2]);
    assert_eq!(scales[2], 2.0 * scale);
    assert_eq!(integers[12..16], [127, 0, -1, 2]);
    assert_eq!(scales[3], 128.0 * scale / 127.0);
}

#[test]
fn a_float_channel_of_zeros_has_the_scale_zero() {
    let place = Place::new();
    let mut tensors = tiny::tensors();
    let Numbers::Float(values) = &mut tiny::get(&mut tensors, "model.encoder.conv3.weight").numbers else {
        panic!("a convolution")
    };
    values[..32 * 3].fill(0.0);
    let installed = place.import(&place.wheel(&tensors), &ImportOptions::default()).unwrap();
    let bytes = fs::read(&installed[0].path).unwrap();
    let models::Inspection::Gguf(header) = models::inspect(&installed[0].path).unwrap() else { panic!("a GGUF file") };
    let position = header.tensors.iter().position(|tensor| tensor.name == "model.encoder.conv3.weight").unwrap();
    let (scales, integers) = (&header.tensors[position - 1], &header.tensors[position]);
    assert_eq!(scales.name, "model.encoder.conv3.weight_scale");
    assert_eq!(bytes[scales.offset as usize..][..4], 0.0_f32.to_le_bytes());
    assert!(bytes[integers.offset as usize..][..32 * 3].iter().all(|byte| *byte == 0));
    assert_ne!(bytes[scales.offset as usize + 4..][..4], 0.0_f32.to_le_bytes());
}

#[test]
fn lossless_and_requantized_channels_are_counted() {
    let place = Place::new();
    let tensors = tiny::tensors();
    let mut expected = ChannelCounts::default();
    for tensor in tensors.iter().filter(|tensor| tensor.is_matrix) {
        let per_channel = tensor.floats().len() / tensor.shape[0];
        for channel in 0..tensor.shape[0] {
            let fits = match &tensor.numbers {
                Numbers::Float(_) => false,
                Numbers::Affine { integers, zero_point, .. } => integers[channel * per_channel..][..per_channel]
                    .iter()
                    .all(|q| (i32::from(*q) - i32::from(*zero_point)).abs() <= 127),
            };
            *(if fits { &mut expected.lossless } else { &mut expected.requantized }) += 1;
        }
    }
    // Both kinds of integer channel are in the made-up model, beside the 48 of the convolutions.
    assert!(expected.lossless > 0 && expected.requantized > 48);
    let installed = place.import(&place.wheel(&tensors), &all_quantizations()).unwrap();
    assert_eq!(installed[0].channels, Some(expected));
    assert_eq!(installed[2].channels, None);
}
