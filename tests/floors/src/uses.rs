//! Every use of a name in a crate: who uses what of whom, and where.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::{
    Block, Expr, Item, Pat, Path, Token,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
    visit::{self, Visit},
};

use crate::{
    cfg::{of_expression, test_only},
    names::{Followed, Found, Import, Names, Namespace, Position, Scope, imports, segments},
    tree::{Part, Tree, attributes, plain},
};

/// One module uses what is defined in another.
#[derive(Debug)]
pub(crate) struct Use {
    pub(crate) by: usize,
    pub(crate) of: usize,
    /// What is used, written as in the root of the crate.
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// The uses of all modules of a crate.
pub(crate) fn uses_of(tree: &Tree) -> Vec<Use> {
    let names = Names::of(tree);
    let mut uses = Vec::new();
    for id in tree.ids() {
        for part in &tree.module(id).parts {
            let mut reader = Reader {
                names: &names,
                module: id,
                part,
                blocks: Vec::new(),
                parameters: Vec::new(),
                locals: Vec::new(),
                uses: &mut uses,
            };
            for item in &part.items {
                reader.visit_item(item);
            }
        }
    }
    uses
}

/// Reads the code of one module.
struct Reader<'a> {
    names: &'a Names<'a>,
    module: usize,
    part: &'a Part,
    /// What the blocks around bring in, innermost last.
    blocks: Vec<Scope>,
    /// The generic parameters around.
    parameters: Vec<String>,
    /// The variables of the functions around.
    locals: Vec<HashSet<String>>,
    uses: &'a mut Vec<Use>,
}

impl Reader<'_> {
    /// A path that is not a `use`.
    fn path(&mut self, segments: &[String], namespace: Namespace, span: Span) {
        let Some(first) = segments.first() else { return };
        if self.parameters.contains(first) {
            return;
        }
        let alone = segments.len() == 1;
        if alone && namespace == Namespace::Value && self.locals.iter().any(|locals| locals.contains(first)) {
            return;
        }
        // What a `use` brought in by name has been used there; of a module, each use counts.
        if self.imported(first) && (alone || !self.is_module(first)) {
            return;
        }
        self.used(segments, namespace, span);
    }

    fn import(&mut self, import: &Import) {
        if import.name.is_none() {
            self.used(&import.segments, Namespace::Type, import.span);
            return;
        }
        for namespace in Namespace::ALL {
            let followed = self.follow(&import.segments, namespace);
            self.push(followed, import.span);
        }
    }

    /// A name that is not of the kind that its place asks for is looked for among the others: the reader of tokens
    /// cannot always tell.
    fn used(&mut self, segments: &[String], namespace: Namespace, span: Span) {
        let mut followed = self.follow(segments, namespace);
        for other in Namespace::ALL {
            if followed.found.is_empty() {
                followed = self.follow(segments, other);
            }
        }
        self.push(followed, span);
    }

    fn push(&mut self, followed: Followed, span: Span) {
        if followed.found.is_empty() {
            return;
        }
        let tree = self.names.tree;
        let mut used: Vec<(usize, Option<String>)> = Vec::new();
        for found in followed.found {
            match found {
                Found::Module(module) => used.push((module, None)),
                Found::Item { module, name, .. } => used.push((module, Some(name))),
                Found::Elsewhere => {}
            }
        }
        // A module above the one that defines the name is the same use.
        let above: HashSet<_> = used.iter().flat_map(|&(module, _)| tree.way_to(module)).collect();
        let named = followed.through.into_iter().filter(|(module, _)| !above.contains(module));
        used.extend(named.map(|(module, name)| (module, Some(name))));
        for (of, name) in used {
            let path = tree.path_of(of);
            let name = match name {
                Some(name) if path.is_empty() => name,
                Some(name) => format!("{path}::{name}"),
                None => path,
            };
            let (file, line) = (self.part.file.clone(), span.start().line);
            self.uses.push(Use { by: self.module, of, name, file, line });
        }
    }

    fn follow(&self, segments: &[String], namespace: Namespace) -> Followed {
        self.names.follow(segments, namespace, Position { module: self.module, blocks: &self.blocks })
    }

    fn imported(&self, name: &str) -> bool {
        let module = self.names.scope(self.module);
        self.blocks.iter().chain([module]).any(|scope| scope.imports(name))
    }

    fn is_module(&self, name: &str) -> bool {
        let found = self.follow(&[name.to_owned()], Namespace::Type).found;
        found.iter().any(|found| matches!(found, Found::Module(_)))
    }

    /// What a macro is called with: read as code where it is code, else as tokens.
    fn arguments(&mut self, name: &str, tokens: &TokenStream) {
        if MAKERS.contains(&name) {
            return;
        }
        if name == "macro_rules" {
            self.tokens(tokens);
        } else if name.ends_with("matches")
            && let Ok((value, pattern, condition)) = matching.parse2(tokens.clone())
        {
            self.visit_expr(&value);
            self.visit_pat(&pattern);
            condition.iter().for_each(|condition| self.visit_expr(condition));
        } else if !self.code(tokens) {
            self.tokens(tokens);
        }
    }

    /// Reads the tokens if they are expressions, statements or items.
    fn code(&mut self, tokens: &TokenStream) -> bool {
        let mut locals = Locals::default();
        if let Ok(all) = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens.clone()) {
            all.iter().for_each(|one| locals.visit_expr(one));
            self.with_locals(locals, |reader| all.iter().for_each(|one| reader.visit_expr(one)));
        } else if let Ok(stmts) = Block::parse_within.parse2(tokens.clone()) {
            let block = Block { brace_token: syn::token::Brace::default(), stmts };
            locals.visit_block(&block);
            self.with_locals(locals, |reader| reader.visit_block(&block));
        } else if let Ok(file) = syn::parse2::<syn::File>(tokens.clone()) {
            file.items.iter().for_each(|item| self.visit_item(item));
        } else {
            return false;
        }
        true
    }

    /// Reads the paths among tokens that are no code, and the code in their brackets.
    fn tokens(&mut self, tokens: &TokenStream) {
        let tokens: Vec<_> = tokens.clone().into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Group(group) => {
                    let inner = group.stream();
                    let is_code = group.delimiter() != Delimiter::None && self.code(&inner);
                    if !is_code {
                        self.tokens(&inner);
                    }
                    at += 1;
                }
                TokenTree::Ident(_) => at = self.path_among(&tokens, at),
                TokenTree::Punct(_) | TokenTree::Literal(_) => at += 1,
            }
        }
    }

    /// Reads the path that starts with the name at `start`, and tells where it ends.
    fn path_among(&mut self, tokens: &[TokenTree], start: usize) -> usize {
        let before = start.checked_sub(1).and_then(|at| punctuation(tokens, at));
        let name = |at: usize| match tokens.get(at) {
            Some(TokenTree::Ident(name)) => Some(plain(&name.to_string())),
            _ => None,
        };
        let mut segments: Vec<_> = name(start).into_iter().collect();
        let mut end = start + 1;
        while punctuation(tokens, end) == Some(':')
            && punctuation(tokens, end + 1) == Some(':')
            && let Some(next) = name(end + 2)
        {
            segments.push(next);
            end += 3;
        }
        let after_colons = before == Some(':') && start >= 2 && punctuation(tokens, start - 2) == Some(':');
        let follows = start.checked_sub(1).and_then(name);
        let defines = follows.as_deref().is_some_and(|word| DEFINING.contains(&word));
        let is_crate = segments.first().is_some_and(|first| first == "crate");
        if matches!(before, Some('.' | '\'' | '#')) || (before == Some('$') && !is_crate) || defines {
            return end;
        }
        if after_colons {
            // `::name`; after a type's `>` or a variable's name it is an associated item.
            let alone = start == 2 || matches!(punctuation(tokens, start - 3), Some(c) if c != '>');
            let alone =
                alone && !matches!(tokens.get(start.wrapping_sub(3)), Some(TokenTree::Group(_) | TokenTree::Ident(_)));
            if !alone {
                return end;
            }
            segments.insert(0, String::new());
        }
        let span = tokens[start].span();
        if punctuation(tokens, end) == Some('!') && punctuation(tokens, end + 1) != Some('=') {
            self.path(&segments, Namespace::Macro, span);
            if let (Some(TokenTree::Group(group)), Some(last)) = (tokens.get(end + 1), segments.last()) {
                self.arguments(last, &group.stream());
                return end + 2;
            }
            return end;
        }
        let called = matches!(tokens.get(end), Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis);
        let upper = segments.first().is_some_and(|first| starts_upper(first));
        // What it is cannot be told: a type or a constant, a module's or a function.
        if segments.len() > 1 || upper {
            self.path(&segments, Namespace::Type, span);
        }
        if segments.len() > 1 || upper || called {
            self.path(&segments, Namespace::Value, span);
        }
        end
    }

    /// Reads what is inside with these generic parameters.
    fn with_parameters(&mut self, generics: &syn::Generics, read: impl FnOnce(&mut Self)) {
        let before = self.parameters.len();
        self.parameters.extend(generics.params.iter().filter_map(|parameter| match parameter {
            syn::GenericParam::Type(parameter) => Some(plain(&parameter.ident.to_string())),
            syn::GenericParam::Const(parameter) => Some(plain(&parameter.ident.to_string())),
            syn::GenericParam::Lifetime(_) => None,
        }));
        read(self);
        self.parameters.truncate(before);
    }

    fn in_function(&mut self, signature: &syn::Signature, locals: Locals, read: impl FnOnce(&mut Self)) {
        self.with_locals(locals, |reader| reader.with_parameters(&signature.generics, read));
    }

    /// Reads what is inside with these variables.
    fn with_locals(&mut self, locals: Locals, read: impl FnOnce(&mut Self)) {
        self.locals.push(locals.names);
        read(self);
        self.locals.pop();
    }
}

/// What a macro that makes code is called with is no code of this crate.
const MAKERS: [&str; 4] = ["quote", "quote_spanned", "parse_quote", "parse_quote_spanned"];

/// After these comes a name that is defined, not used.
const DEFINING: [&str; 9] = ["fn", "struct", "enum", "union", "trait", "type", "mod", "const", "static"];

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if test_only(attributes(item)) {
            return;
        }
        match item {
            Item::Use(item) => imports(item).iter().for_each(|import| self.import(import)),
            item => visit::visit_item(self, item),
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let scope = Scope::of_block(self.module, block);
        if scope.is_empty() {
            return visit::visit_block(self, block);
        }
        // The items of a block are known in all of it, and so is what a `use` in it brings in.
        self.blocks.push(scope);
        visit::visit_block(self, block);
        self.blocks.pop();
    }

    fn visit_path(&mut self, path: &'ast Path) {
        self.path(&segments(path), Namespace::Type, start(path));
        visit::visit_path(self, path);
    }

    fn visit_expr_path(&mut self, expression: &'ast syn::ExprPath) {
        self.value(expression.qself.as_ref(), &expression.path);
    }

    fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
        self.qualified(path.qself.as_ref(), &path.path, Namespace::Type);
    }

    fn visit_expr_struct(&mut self, expression: &'ast syn::ExprStruct) {
        if let Some(own) = &expression.qself {
            self.qualified(Some(own), &expression.path, Namespace::Type);
            expression.fields.iter().for_each(|field| self.visit_field_value(field));
            expression.rest.iter().for_each(|rest| self.visit_expr(rest));
        } else {
            visit::visit_expr_struct(self, expression);
        }
    }

    fn visit_pat(&mut self, pattern: &'ast Pat) {
        match pattern {
            Pat::TupleStruct(pattern) => {
                self.value(pattern.qself.as_ref(), &pattern.path);
                pattern.elems.iter().for_each(|pattern| self.visit_pat(pattern));
            }
            Pat::Ident(name) if name.subpat.is_none() && starts_upper(&name.ident.to_string()) => {
                self.path(&[plain(&name.ident.to_string())], Namespace::Value, name.ident.span());
            }
            pattern => visit::visit_pat(self, pattern),
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let segments = segments(&call.path);
        let Some(last) = segments.last().cloned() else { return };
        if last != "macro_rules" {
            self.path(&segments, Namespace::Macro, start(&call.path));
        }
        self.arguments(&last, &call.tokens);
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let mut locals = Locals::default();
        locals.visit_item_fn(item);
        self.in_function(&item.sig, locals, |reader| visit::visit_item_fn(reader, item));
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let left_out = match item {
            syn::ImplItem::Const(item) => test_only(&item.attrs),
            syn::ImplItem::Fn(item) => test_only(&item.attrs),
            syn::ImplItem::Macro(item) => test_only(&item.attrs),
            syn::ImplItem::Type(item) => test_only(&item.attrs),
            _ => false,
        };
        if !left_out {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        let mut locals = Locals::default();
        locals.visit_impl_item_fn(item);
        self.in_function(&item.sig, locals, |reader| visit::visit_impl_item_fn(reader, item));
    }

    fn visit_impl_item_type(&mut self, item: &'ast syn::ImplItemType) {
        self.with_parameters(&item.generics, |reader| visit::visit_impl_item_type(reader, item));
    }

    fn visit_trait_item(&mut self, item: &'ast syn::TraitItem) {
        let left_out = match item {
            syn::TraitItem::Const(item) => test_only(&item.attrs),
            syn::TraitItem::Fn(item) => test_only(&item.attrs),
            syn::TraitItem::Macro(item) => test_only(&item.attrs),
            syn::TraitItem::Type(item) => test_only(&item.attrs),
            _ => false,
        };
        if !left_out {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        let mut locals = Locals::default();
        locals.visit_trait_item_fn(item);
        self.in_function(&item.sig, locals, |reader| visit::visit_trait_item_fn(reader, item));
    }

    fn visit_trait_item_type(&mut self, item: &'ast syn::TraitItemType) {
        self.with_parameters(&item.generics, |reader| visit::visit_trait_item_type(reader, item));
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.with_parameters(&item.generics, |reader| visit::visit_item_struct(reader, item));
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.with_parameters(&item.generics, |reader| visit::visit_item_enum(reader, item));
    }

    fn visit_item_union(&mut self, item: &'ast syn::ItemUnion) {
        self.with_parameters(&item.generics, |reader| visit::visit_item_union(reader, item));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.with_parameters(&item.generics, |reader| visit::visit_item_trait(reader, item));
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.with_parameters(&item.generics, |reader| visit::visit_item_impl(reader, item));
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.with_parameters(&item.generics, |reader| visit::visit_item_type(reader, item));
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !test_only(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if !test_only(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        if !test_only(&field.attrs) {
            visit::visit_field_value(self, field);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !test_only(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !test_only(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_stmt_macro(&mut self, statement: &'ast syn::StmtMacro) {
        if !test_only(&statement.attrs) {
            visit::visit_stmt_macro(self, statement);
        }
    }

    fn visit_expr(&mut self, expression: &'ast Expr) {
        if !test_only(of_expression(expression)) {
            visit::visit_expr(self, expression);
        }
    }
}

impl Reader<'_> {
    fn value(&mut self, own: Option<&syn::QSelf>, path: &Path) {
        self.qualified(own, path, Namespace::Value);
    }

    /// A path that may start with `<Type as Trait>`: then the trait is what it names.
    fn qualified(&mut self, own: Option<&syn::QSelf>, path: &Path, namespace: Namespace) {
        let mut segments = segments(path);
        let mut namespace = namespace;
        if let Some(own) = own {
            self.visit_type(&own.ty);
            segments.truncate(own.position + usize::from(path.leading_colon.is_some()));
            if own.position == 0 {
                segments.clear();
            }
            namespace = Namespace::Type;
        }
        self.path(&segments, namespace, start(path));
        visit::visit_path(self, path);
    }
}

/// The names of variables: those that patterns bind.
#[derive(Default)]
struct Locals {
    names: HashSet<String>,
}

impl<'ast> Visit<'ast> for Locals {
    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        let name = plain(&pattern.ident.to_string());
        if pattern.subpat.is_some() || !starts_upper(&name) {
            self.names.insert(name);
        }
        visit::visit_pat_ident(self, pattern);
    }
}

/// The arguments of `matches!`.
fn matching(input: ParseStream<'_>) -> syn::Result<(Expr, Pat, Option<Expr>)> {
    let value = input.parse()?;
    input.parse::<Token![,]>()?;
    let pattern = Pat::parse_multi_with_leading_vert(input)?;
    let condition = if input.parse::<Option<Token![if]>>()?.is_some() { Some(input.parse()?) } else { None };
    input.parse::<Option<Token![,]>>()?;
    Ok((value, pattern, condition))
}

fn start(path: &Path) -> Span {
    path.segments.first().map_or_else(Span::call_site, |first| first.ident.span())
}

fn starts_upper(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
}

fn punctuation(tokens: &[TokenTree], at: usize) -> Option<char> {
    match tokens.get(at) {
        Some(TokenTree::Punct(mark)) => Some(mark.as_char()),
        _ => None,
    }
}
