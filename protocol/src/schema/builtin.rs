//! Types of std and of `uuid` that packets may hold.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    num::{
        NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128, NonZeroIsize, NonZeroU8, NonZeroU16, NonZeroU32,
        NonZeroU64, NonZeroU128, NonZeroUsize,
    },
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use uuid::Uuid;

use super::{Prim, Schema, Ty, Variant};

macro_rules! prims {
    ($($($ty:ty)|+ => $prim:ident,)*) => {
        $($(impl Schema for $ty {
            const SCHEMA: &'static Ty = &Ty::Prim(Prim::$prim);
        })+)*
    };
}

prims! {
    () => Unit,
    bool => Bool,
    u8 | NonZeroU8 => U8,
    u16 | NonZeroU16 => U16,
    u32 | NonZeroU32 => U32,
    u64 | usize | NonZeroU64 | NonZeroUsize => U64,
    u128 | NonZeroU128 => U128,
    i8 | NonZeroI8 => I8,
    i16 | NonZeroI16 => I16,
    i32 | NonZeroI32 => I32,
    i64 | isize | NonZeroI64 | NonZeroIsize => I64,
    i128 | NonZeroI128 => I128,
    f32 => F32,
    f64 => F64,
    char => Char,
    str | String => Str,
    Uuid => Uuid,
    Duration => Duration,
    SystemTime => Time,
    IpAddr => Ip,
    Ipv4Addr => Ipv4,
    Ipv6Addr => Ipv6,
    SocketAddr => SocketAddr,
    SocketAddrV4 => SocketAddrV4,
    SocketAddrV6 => SocketAddrV6,
}

macro_rules! same_as_inner {
    ($($pointer:ident)*) => {
        $(impl<T: Schema + ?Sized> Schema for $pointer<T> {
            const SCHEMA: &'static Ty = T::SCHEMA;
        })*
    };
}

same_as_inner!(Box Rc Arc);

impl<T: Schema + ToOwned + ?Sized> Schema for Cow<'_, T> {
    const SCHEMA: &'static Ty = T::SCHEMA;
}

impl<T: Schema> Schema for Option<T> {
    const SCHEMA: &'static Ty = &Ty::Option(T::SCHEMA);
}

impl<T: Schema, E: Schema> Schema for Result<T, E> {
    const SCHEMA: &'static Ty = &Ty::Named(
        "Result",
        &Ty::Enum(&[Variant { name: "Ok", body: Some(T::SCHEMA) }, Variant { name: "Err", body: Some(E::SCHEMA) }]),
    );
}

macro_rules! lists {
    ($($ty:ty),*) => {
        $(impl<T: Schema> Schema for $ty {
            const SCHEMA: &'static Ty = &Ty::Seq(T::SCHEMA);
        })*
    };
}

lists!([T], Vec<T>, VecDeque<T>, LinkedList<T>, BinaryHeap<T>, BTreeSet<T>);

impl<T: Schema, H> Schema for HashSet<T, H> {
    const SCHEMA: &'static Ty = &Ty::Seq(T::SCHEMA);
}

impl<K: Schema, V: Schema> Schema for BTreeMap<K, V> {
    const SCHEMA: &'static Ty = &Ty::Map(K::SCHEMA, V::SCHEMA);
}

impl<K: Schema, V: Schema, H> Schema for HashMap<K, V, H> {
    const SCHEMA: &'static Ty = &Ty::Map(K::SCHEMA, V::SCHEMA);
}

impl<T: Schema, const N: usize> Schema for [T; N] {
    const SCHEMA: &'static Ty = &Ty::Array(T::SCHEMA, N);
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {
        $(impl<$($name: Schema),+> Schema for ($($name,)+) {
            const SCHEMA: &'static Ty = &Ty::Tuple(&[$($name::SCHEMA),+]);
        })*
    };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}
