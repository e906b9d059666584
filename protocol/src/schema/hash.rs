//! A stable hash of the schema tree (FNV-1a over a tagged walk), computed by the compiler.

use super::Ty;

/// Version of the way schemas are described and hashed; covered by every hash, so that programs whose versions differ do
/// not take each other's word.
pub const FORMAT: u8 = 1;

/// Takes one byte in. A macro, and a product that cannot overflow, since the compiler's interpreter spends most of its time
/// on calls: `wrapping_mul` is one, too.
macro_rules! step {
    ($hash:expr, $byte:expr) => {
        (($hash ^ $byte as u64) as u128 * 0x0000_0100_0000_01b3 & 0xffff_ffff_ffff_ffff) as u64
    };
}

/// The hash of a shape: equal for shapes that are written alike, type names left out.
#[must_use]
pub const fn hash(ty: &Ty) -> u64 {
    mix(start(), ty)
}

pub(crate) const fn start() -> u64 {
    byte(0xcbf2_9ce4_8422_2325, FORMAT)
}

pub(crate) const fn byte(hash: u64, byte: u8) -> u64 {
    step!(hash, byte)
}

pub(crate) const fn mix_u64(mut hash: u64, value: u64) -> u64 {
    let bytes = value.to_le_bytes();
    let mut i = 0;
    while i < bytes.len() {
        hash = step!(hash, bytes[i]);
        i += 1;
    }
    hash
}

pub(crate) const fn mix_bool(hash: u64, value: bool) -> u64 {
    byte(hash, value as u8)
}

/// Length and bytes, so that two texts in a row cannot be split another way.
pub(crate) const fn mix_text(hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut hash = mix_u64(hash, bytes.len() as u64);
    let mut i = 0;
    while i < bytes.len() {
        hash = step!(hash, bytes[i]);
        i += 1;
    }
    hash
}

pub(crate) const fn mix(hash: u64, ty: &Ty) -> u64 {
    match ty {
        Ty::Prim(prim) => mix_text(byte(hash, 1), prim.name()),
        Ty::Opaque(text) => mix_text(byte(hash, 2), text),
        Ty::Ref(name) => mix_text(byte(hash, 3), name),
        Ty::Option(ty) => mix(byte(hash, 4), ty),
        Ty::Seq(ty) => mix(byte(hash, 5), ty),
        Ty::Array(ty, len) => mix(mix_u64(byte(hash, 6), *len as u64), ty),
        Ty::Map(key, value) => mix(mix(byte(hash, 7), key), value),
        Ty::Tuple(parts) => {
            let mut hash = mix_u64(byte(hash, 8), parts.len() as u64);
            let mut i = 0;
            while i < parts.len() {
                hash = mix(hash, parts[i]);
                i += 1;
            }
            hash
        }
        Ty::Struct(fields) => {
            let mut hash = mix_u64(byte(hash, 9), fields.len() as u64);
            let mut i = 0;
            while i < fields.len() {
                hash = mix_bool(mix_text(hash, fields[i].name), fields[i].default);
                hash = mix(hash, fields[i].ty);
                i += 1;
            }
            hash
        }
        Ty::Enum(variants) => {
            let mut hash = mix_u64(byte(hash, 10), variants.len() as u64);
            let mut i = 0;
            while i < variants.len() {
                hash = mix_text(hash, variants[i].name);
                hash = match variants[i].body {
                    None => byte(hash, 0),
                    Some(ty) => mix(byte(hash, 1), ty),
                };
                i += 1;
            }
            hash
        }
        Ty::Named(_, ty) => mix(hash, ty),
        Ty::Marked(text, ty) => mix(mix_text(byte(hash, 11), text), ty),
    }
}
