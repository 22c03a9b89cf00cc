//! JavaScript's objects, without a binding for each.

use js_sys::futures::JsFuture;
use js_sys::{Object, Promise, Reflect};
use wasm_bindgen::prelude::{JsCast, JsValue};

/// An object with these properties.
pub(crate) fn object(properties: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in properties {
        set(&object, name, value);
    }
    object
}

/// Sets a property of an object that was made here, which cannot fail.
pub(crate) fn set(object: &JsValue, name: &str, value: &JsValue) {
    let _ = Reflect::set(object, &JsValue::from_str(name), value);
}

/// A property; `undefined` where there is none, or no object, or the browser refuses to say.
pub(crate) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}

/// A property of the Worker's, or the page's, global object.
pub(crate) fn global(name: &str) -> JsValue {
    get(&js_sys::global(), name)
}

/// Whether something is there.
pub(crate) fn is_there(value: &JsValue) -> bool {
    !value.is_undefined() && !value.is_null()
}

/// A method of an object, where it has it.
pub(crate) fn method(object: &JsValue, name: &str) -> Option<js_sys::Function> {
    get(object, name).dyn_into().ok()
}

/// A property, where it is text.
pub(crate) fn text(object: &JsValue, name: &str) -> Option<String> {
    get(object, name).as_string()
}

/// A property, where it is a whole number that is not negative, exactly representable.
pub(crate) fn whole(object: &JsValue, name: &str) -> Option<u64> {
    /// `Number.MAX_SAFE_INTEGER`.
    const MAX: f64 = 9_007_199_254_740_991.0;
    get(object, name).as_f64().filter(|n| n.fract() == 0.0 && (0.0..=MAX).contains(n)).map(|n| n as u64)
}

/// What an error says: its name and message.
pub(crate) fn describe(error: &JsValue) -> String {
    match (text(error, "name"), text(error, "message")) {
        (Some(name), Some(message)) => format!("{name}: {message}"),
        (_, Some(message)) => message,
        _ => format!("{error:?}"),
    }
}

/// Milliseconds on the clock that never goes back.
pub(crate) fn now_ms() -> f64 {
    let performance = global("performance");
    method(&performance, "now").and_then(|now| now.call0(&performance).ok()?.as_f64()).unwrap_or(0.0)
}

/// Calls a method and awaits what it promises.
pub(crate) async fn call(object: &JsValue, name: &str, arguments: &[&JsValue]) -> Result<JsValue, JsValue> {
    let missing = || JsValue::from(js_sys::TypeError::new(&format!("there is no {name} here")));
    let method = method(object, name).ok_or_else(missing)?;
    let list = js_sys::Array::new();
    for argument in arguments {
        list.push(argument);
    }
    settle(&method.apply(object, &list)?).await
}

/// Awaits what a call gave, be it a promise or not.
pub(crate) async fn settle(value: &JsValue) -> Result<JsValue, JsValue> {
    JsFuture::from(Promise::resolve(value)).await
}
