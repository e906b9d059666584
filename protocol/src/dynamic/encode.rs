//! A value and a shape to a payload.

use std::{
    cell::OnceCell,
    time::{Duration, SystemTime},
};

use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeMap, SerializeSeq, SerializeTuple},
};
use serde_json::{Map, Value};

use super::{
    FieldInfo, MAX_LEVELS, MAX_NAME, Misfit, MisfitReason, Path, Place, Scope, field, is_elsewhere, is_marked,
    scalar::Scalar,
};
use crate::{
    packet::{Codec, postcard},
    schema::{Field, Prim, Ty, Variant},
    text::escape,
};

/// Appends to `out` the payload of the packet of shape `ty` whose value is `value`.
///
/// The bytes are those which serde and `codec` make of the typed value, with the keys of maps in the order of a
/// `BTreeMap`; a member of JSON that is left out for `None` is written as `null`. Whether the value fits does not depend
/// on the codec, except that [`Codec::Postcard`] carries nothing that is not described: ask
/// [`schema::codec`](crate::schema::codec), or the packet, which codec it is. The module says [what fits](super).
///
/// # Errors
///
/// [`Misfit`] if the value is not of that shape. `out` is then as it was before.
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
///
/// use pnet_protocol::{dynamic, packet::Codec, schema::Schema};
/// use serde_json::json;
///
/// let ty = <BTreeMap<i64, Option<String>>>::SCHEMA;
/// let value = json!({ "-1": null, "1": "a" });
///
/// let mut payload = Vec::new();
/// dynamic::encode(&value, ty, Codec::Postcard, &mut payload)?;
/// assert_eq!(payload, [2, 1, 0, 2, 1, 1, b'a']);
///
/// payload.clear();
/// dynamic::encode(&value, ty, Codec::Json, &mut payload)?;
/// assert_eq!(payload, br#"{"-1":null,"1":"a"}"#);
/// # Ok::<(), dynamic::Misfit>(())
/// ```
pub fn encode(value: &Value, ty: &Ty, codec: Codec, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let start = out.len();
    let walk = Walk { codec, misfit: OnceCell::new() };
    let root = Part { value, ty, place: Place::root(), walk: &walk };
    let written = match codec {
        Codec::Postcard => postcard::write(&root, out),
        Codec::Json => serde_json::to_writer(&mut *out, &root),
    };
    written.map_err(|error| {
        out.truncate(start);
        walk.misfit.into_inner().unwrap_or_else(|| Misfit::new(&Path::Root, MisfitReason::Refused(error.into())))
    })
}

/// What all parts share.
struct Walk {
    codec: Codec,
    /// The first misfit; serializers have no place for it in their errors.
    misfit: OnceCell<Misfit>,
}

/// A part of the value with its shape. It serializes as the typed value does.
#[derive(Clone, Copy)]
struct Part<'a> {
    value: &'a Value,
    ty: &'a Ty,
    place: Place<'a>,
    walk: &'a Walk,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.ty {
            Ty::Prim(Prim::Duration) => self.moment(&DURATION, false, serializer),
            Ty::Prim(Prim::Time) => self.moment(&TIME, true, serializer),
            Ty::Prim(prim) => match Scalar::of(self.value, *prim) {
                Ok(scalar) => scalar.serialize(serializer),
                Err(reason) => Err(self.misfit(reason)),
            },
            Ty::Opaque(_) | Ty::Marked(..) => self.anything(serializer),
            Ty::Ref(name) => match self.place.enclosing(name) {
                Some(scope) if scope.level < self.place.level => {
                    self.named(scope.name, scope.ty, scope.outer, serializer)
                }
                Some(_) => Err(self.misfit(MisfitReason::TooDeep)),
                None => Err(self.misfit(MisfitReason::Undescribed)),
            },
            Ty::Named(name, ty) => self.named(name, ty, self.place.scope, serializer),
            Ty::Option(_) if self.value.is_null() => serializer.serialize_none(),
            Ty::Option(ty) => serializer.serialize_some(&Self { ty, ..*self }),
            Ty::Seq(ty) => self.list(ty, serializer),
            Ty::Array(ty, len) => self.tuple(*len, |_| Some(ty), serializer),
            Ty::Tuple(parts) => self.tuple(parts.len(), |index| parts.get(index).copied(), serializer),
            Ty::Map(key, ty) => self.map(key, ty, serializer),
            Ty::Struct(fields) => self.record(fields, serializer),
            Ty::Enum(variants) if is_marked(variants) => self.anything(serializer),
            Ty::Enum(variants) => self.choice(variants, serializer),
        }
    }
}

impl<'a> Part<'a> {
    fn named<S: Serializer>(
        &self,
        name: &str,
        ty: &Ty,
        outer: Option<&Scope<'_>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let scope = Scope { name, ty, level: self.place.level, outer };
        Part { ty, place: self.place.within(&scope), ..*self }.serialize(serializer)
    }

    fn list<S: Serializer>(&self, ty: &Ty, serializer: S) -> Result<S::Ok, S::Error> {
        let elements = self.array()?;
        let place = self.inside()?;
        let mut list = serializer.serialize_seq(Some(elements.len()))?;
        for (index, value) in elements.iter().enumerate() {
            let path = Path::Element(place.path, index);
            list.serialize_element(&Part { value, ty, place: place.at(&path), walk: self.walk })?;
        }
        list.end()
    }

    /// Arrays and tuples, which have as many elements as their type says.
    fn tuple<'t, S: Serializer>(
        &self,
        len: usize,
        part: impl Fn(usize) -> Option<&'t Ty>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let elements = self.array()?;
        let place = self.inside()?;
        if elements.len() != len {
            return Err(self.misfit(MisfitReason::Length { wanted: len, found: elements.len() }));
        }
        let mut tuple = serializer.serialize_tuple(len)?;
        for (index, value) in elements.iter().enumerate() {
            let Some(ty) = part(index) else { break };
            let path = Path::Element(place.path, index);
            tuple.serialize_element(&Part { value, ty, place: place.at(&path), walk: self.walk })?;
        }
        tuple.end()
    }

    fn map<S: Serializer>(&self, key: &Ty, ty: &Ty, serializer: S) -> Result<S::Ok, S::Error> {
        let members = self.object()?;
        let place = self.inside()?;
        let misfit = |name, reason| self.misfit_at(&Path::Member(place.path, name), reason);
        let mut entries = Vec::with_capacity(members.len());
        for (name, value) in members {
            match Scalar::of_key(name, key) {
                Ok(scalar) => entries.push((scalar, name, value)),
                Err(MisfitReason::Keys) => return Err(self.misfit(MisfitReason::Keys)),
                Err(reason) => return Err(misfit(name, reason)),
            }
        }
        // The order of texts is not the order of what they say.
        entries.sort_by(|(one, ..), (other, ..)| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
        let twice = entries.windows(2).find_map(|pair| match pair {
            [(one, ..), (other, name, _)] if one == other => Some(name),
            _ => None,
        });
        if let Some(name) = twice {
            return Err(misfit(name, MisfitReason::KeyTwice));
        }
        let mut map = serializer.serialize_map(Some(entries.len()))?;
        for (key, name, value) in &entries {
            let path = Path::Member(place.path, name);
            map.serialize_entry(key, &Part { value, ty, place: place.at(&path), walk: self.walk })?;
        }
        map.end()
    }

    fn record<S: Serializer>(&self, fields: &[Field], serializer: S) -> Result<S::Ok, S::Error> {
        let members = self.object()?;
        let place = self.inside()?;
        let is_open = fields.iter().any(is_elsewhere);
        if let Some(name) = members.keys().find(|name| !is_open && field(fields, name).is_none()) {
            return Err(self.misfit_at(
                &Path::Member(place.path, name),
                MisfitReason::UnknownField { known: FieldInfo::of(fields) },
            ));
        }
        match self.walk.codec {
            Codec::Postcard => {
                let mut tuple = serializer.serialize_tuple(fields.len())?;
                for field in fields {
                    let path = Path::Member(place.path, field.name);
                    let value = self.member(members, field, &path)?.unwrap_or(&Value::Null);
                    let part = Part { value, ty: field.ty, place: place.at(&path), walk: self.walk };
                    tuple.serialize_element(&part)?;
                }
                tuple.end()
            }
            Codec::Json => {
                let mut map = serializer.serialize_map(None)?;
                for field in fields.iter().filter(|field| !is_elsewhere(field)) {
                    let path = Path::Member(place.path, field.name);
                    if let Some(value) = self.member(members, field, &path)? {
                        let part = Part { value, ty: field.ty, place: place.at(&path), walk: self.walk };
                        map.serialize_entry(field.name, &part)?;
                    }
                }
                for (name, value) in members.iter().filter(|(name, _)| field(fields, name).is_none()) {
                    let path = Path::Member(place.path, name);
                    let part = Part { value, ty: &OTHER, place: place.at(&path), walk: self.walk };
                    map.serialize_entry(name, &part)?;
                }
                map.end()
            }
        }
    }

    /// What stands for a field: nothing if serde may leave it out.
    fn member<E: Error>(
        &self,
        members: &'a Map<String, Value>,
        field: &Field,
        path: &Path<'_>,
    ) -> Result<Option<&'a Value>, E> {
        match (members.get(field.name), field.ty) {
            (Some(value), _) => Ok(Some(value)),
            (None, Ty::Option(_)) => Ok(Some(&Value::Null)),
            (None, Ty::Marked(..)) => Ok(None),
            (None, _) if field.default => Err(self.misfit_at(path, MisfitReason::NoDefault)),
            (None, _) => Err(self.misfit_at(path, MisfitReason::Missing)),
        }
    }

    fn choice<S: Serializer>(&self, variants: &[Variant], serializer: S) -> Result<S::Ok, S::Error> {
        let (name, inner) = match self.value {
            Value::String(name) => (name, None),
            Value::Object(members) => {
                let mut members = members.iter();
                match (members.next(), members.next()) {
                    (Some((name, inner)), None) => (name, Some(inner)),
                    (None, _) => {
                        return Err(self.misfit(MisfitReason::Kind { wanted: VARIANT, found: "an empty object" }));
                    }
                    _ => {
                        let found = "an object with several members";
                        return Err(self.misfit(MisfitReason::Kind { wanted: VARIANT, found }));
                    }
                }
            }
            value => return Err(self.misfit(MisfitReason::kind(VARIANT, value))),
        };
        let Some((index, variant)) = (0..).zip(variants).find(|(_, variant)| variant.name == name) else {
            return Err(self.misfit(MisfitReason::UnknownVariant {
                found: escape(name, MAX_NAME),
                known: variants.iter().map(|variant| variant.name).collect(),
            }));
        };
        match (variant.body, inner) {
            (None, None) => Scalar::Variant(index, variant.name).serialize(serializer),
            (None, Some(_)) => Err(self.misfit(MisfitReason::VariantIsBare(variant.name))),
            (Some(_), None) => Err(self.misfit(MisfitReason::VariantHolds(variant.name))),
            (Some(ty), Some(value)) => {
                let place = self.inside()?;
                let path = Path::Member(place.path, variant.name);
                // What tuples and structs look like is the same in a variant as outside.
                let part = Part { value, ty, place: place.at(&path), walk: self.walk };
                serializer.serialize_newtype_variant("", index, variant.name, &part)
            }
        }
    }

    /// Durations and times, which are written as a struct of two numbers.
    fn moment<S: Serializer>(
        &self,
        fields: &'static [Field; 2],
        is_time: bool,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let [secs, nanos] = fields;
        let number = |field: &Field| self.value.get(field.name).and_then(Value::as_u64);
        let (found_secs, found_nanos) = (number(secs), number(nanos).and_then(|nanos| u32::try_from(nanos).ok()));
        if let Some(found) = found_nanos.filter(|nanos| *nanos >= 1_000_000_000) {
            let reason = MisfitReason::OutOfRange { number: found.to_string(), limit: "the nanoseconds of a second" };
            return Err(self.misfit_at(&Path::Member(self.place.path, nanos.name), reason));
        }
        if let (true, Some(found_secs), Some(found_nanos)) = (is_time, found_secs, found_nanos)
            && SystemTime::UNIX_EPOCH.checked_add(Duration::new(found_secs, found_nanos)).is_none()
        {
            let reason = MisfitReason::out_of_range(&found_secs.to_string(), Prim::Time);
            return Err(self.misfit_at(&Path::Member(self.place.path, secs.name), reason));
        }
        self.record(fields, serializer)
    }

    /// What the shape does not describe.
    fn anything<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.walk.codec == Codec::Postcard {
            return Err(self.misfit(MisfitReason::Undescribed));
        }
        if !has_levels(self.value, MAX_LEVELS - self.place.level) {
            return Err(self.misfit(MisfitReason::TooDeep));
        }
        self.value.serialize(serializer)
    }

    fn array<E: Error>(&self) -> Result<&'a [Value], E> {
        match self.value {
            Value::Array(elements) => Ok(elements),
            value => Err(self.misfit(MisfitReason::kind("an array", value))),
        }
    }

    fn object<E: Error>(&self) -> Result<&'a Map<String, Value>, E> {
        match self.value {
            Value::Object(members) => Ok(members),
            value => Err(self.misfit(MisfitReason::kind("an object", value))),
        }
    }

    fn inside<E: Error>(&self) -> Result<Place<'a>, E> {
        self.place.inside().ok_or_else(|| self.misfit(MisfitReason::TooDeep))
    }

    /// Keeps the misfit of this part, and makes an error that ends the walk.
    fn misfit<E: Error>(&self, reason: MisfitReason) -> E {
        self.misfit_at(self.place.path, reason)
    }

    fn misfit_at<E: Error>(&self, path: &Path<'_>, reason: MisfitReason) -> E {
        self.walk.misfit.get_or_init(|| Misfit::new(path, reason));
        E::custom("the value does not fit the shape")
    }
}

/// Whether a value has at most so many levels of arrays and objects.
fn has_levels(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(elements) => {
            levels.checked_sub(1).is_some_and(|levels| elements.iter().all(|value| has_levels(value, levels)))
        }
        Value::Object(members) => {
            levels.checked_sub(1).is_some_and(|levels| members.values().all(|value| has_levels(value, levels)))
        }
        _ => true,
    }
}

const VARIANT: &str = "a variant (a string, or an object with one member)";

/// The shape of members that belong to a flattened field.
const OTHER: Ty = Ty::Opaque("");

static DURATION: [Field; 2] = [
    Field { name: "secs", ty: &Ty::Prim(Prim::U64), default: false },
    Field { name: "nanos", ty: &Ty::Prim(Prim::U32), default: false },
];

static TIME: [Field; 2] = [
    Field { name: "secs_since_epoch", ty: &Ty::Prim(Prim::U64), default: false },
    Field { name: "nanos_since_epoch", ty: &Ty::Prim(Prim::U32), default: false },
];
