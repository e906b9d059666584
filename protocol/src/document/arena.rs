//! Types that are being read: owned until all of the text has been found good, then given to the process for good.

use crate::schema::{Field, Prim, Ty, Variant};

/// A place in an [`Arena`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Id(usize);

/// A type whose parts stand before it in the arena.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Prim(Prim),
    Opaque(&'a str),
    Ref(&'a str),
    Option(Id),
    Seq(Id),
    Array(Id, usize),
    Map(Id, Id),
    Tuple(Vec<Id>),
    Struct(Vec<(&'a str, Id, bool)>),
    Enum(Vec<(&'a str, Option<Id>)>),
    Named(&'a str, Id),
    Marked(&'a str, Id),
}

/// Types by their places. What several refer to is there once.
#[derive(Debug, Default)]
pub(super) struct Arena<'a> {
    nodes: Vec<Node<'a>>,
    /// How large each is where it is written out, itself included: what a walk over it takes.
    sizes: Vec<Size>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub(super) parts: usize,
    pub(super) levels: usize,
}

impl<'a> Arena<'a> {
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn size(&self, Id(place): Id) -> Size {
        self.sizes.get(place).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, node: Node<'a>) -> Id {
        let mut size = Size { parts: 1, levels: 0 };
        let mut count = |id: &Id| {
            let part = self.size(*id);
            size.parts = size.parts.saturating_add(part.parts);
            size.levels = size.levels.max(part.levels);
        };
        match &node {
            Node::Prim(_) | Node::Opaque(_) | Node::Ref(_) => {}
            Node::Option(id) | Node::Seq(id) | Node::Array(id, _) | Node::Named(_, id) | Node::Marked(_, id) => {
                count(id)
            }
            Node::Map(key, value) => [key, value].into_iter().for_each(count),
            Node::Tuple(parts) => parts.iter().for_each(count),
            Node::Struct(fields) => fields.iter().for_each(|(_, id, _)| count(id)),
            Node::Enum(variants) => variants.iter().filter_map(|(_, id)| id.as_ref()).for_each(count),
        }
        size.levels += 1;
        self.nodes.push(node);
        self.sizes.push(size);
        Id(self.nodes.len() - 1)
    }

    /// Gives all of it to the process.
    pub(super) fn leak(self) -> Leaked {
        let mut leaked = Leaked(Vec::with_capacity(self.nodes.len()));
        for node in self.nodes {
            let ty = leaked.ty(node);
            leaked.0.push(Box::leak(Box::new(ty)));
        }
        leaked
    }
}

/// Types that stay, by their places in the arena.
#[derive(Debug)]
pub(super) struct Leaked(Vec<&'static Ty>);

impl Leaked {
    /// The type at a place of the arena that was leaked.
    pub(super) fn get(&self, Id(place): Id) -> &'static Ty {
        self.0.get(place).copied().unwrap_or(&Ty::Prim(Prim::Unit))
    }

    /// The parts of a node stand before it.
    fn ty(&self, node: Node<'_>) -> Ty {
        match node {
            Node::Prim(prim) => Ty::Prim(prim),
            Node::Opaque(text) => Ty::Opaque(leak(text)),
            Node::Ref(name) => Ty::Ref(leak(name)),
            Node::Option(id) => Ty::Option(self.get(id)),
            Node::Seq(id) => Ty::Seq(self.get(id)),
            Node::Array(id, len) => Ty::Array(self.get(id), len),
            Node::Map(key, value) => Ty::Map(self.get(key), self.get(value)),
            Node::Tuple(parts) => Ty::Tuple(parts.into_iter().map(|id| self.get(id)).collect::<Vec<_>>().leak()),
            Node::Struct(fields) => {
                let field = |(name, id, default)| Field { name: leak(name), ty: self.get(id), default };
                Ty::Struct(fields.into_iter().map(field).collect::<Vec<_>>().leak())
            }
            Node::Enum(variants) => {
                let variant =
                    |(name, body): (&str, Option<Id>)| Variant { name: leak(name), body: body.map(|id| self.get(id)) };
                Ty::Enum(variants.into_iter().map(variant).collect::<Vec<_>>().leak())
            }
            Node::Named(name, id) => Ty::Named(leak(name), self.get(id)),
            Node::Marked(text, id) => Ty::Marked(leak(text), self.get(id)),
        }
    }
}

/// A text that stays.
pub(super) fn leak(text: &str) -> &'static str {
    String::leak(text.to_owned())
}
