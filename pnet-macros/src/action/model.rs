//! A handler as it is written.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, FnArg, GenericArgument, Ident, LitStr, PathArguments, ReturnType, Signature, Token, Type, TypeImplTrait,
    TypeReference, Visibility,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    token,
    visit::Visit,
};

use crate::{
    diagnostics::Errors,
    parse,
    types::{bare, borrowing, is_named, last_segment, with_lifetime},
};

/// A function whose body is left to the compiler: while it is being written it may be anything.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (attrs, vis, sig) = (input.call(Attribute::parse_outer)?, input.parse()?, input.parse()?);
        if !input.peek(token::Brace) {
            return Err(input.error("a function has a body"));
        }
        Ok(Self { attrs, vis, sig, body: input.parse()? })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attrs, vis, sig, body } = self;
        // A handler owns its packet and its handles, whether it uses them up or not, and is an ordinary function.
        tokens.extend(quote! {
            #[allow(clippy::missing_const_for_fn, clippy::needless_pass_by_value)]
            #(#attrs)* #vis #sig #body
        });
    }
}

/// What stands in the parentheses of `#[action(…)]`.
pub(crate) enum Kind {
    Action {
        name: LitStr,
        concurrent: bool,
        finish: bool,
    },
    Authenticate,
    Connect,
    Disconnect,
    /// Something that has been reported.
    Broken,
}

/// The function.
pub(crate) struct Model<'a> {
    pub(crate) kind: Kind,
    pub(crate) function: &'a Function,
    /// Attributes that decide whether it exists.
    pub(crate) cfgs: Vec<&'a Attribute>,
    pub(crate) vis: &'a Visibility,
    pub(crate) ident: &'a Ident,
    pub(crate) is_async: bool,
    pub(crate) args: Vec<Arg>,
    /// What it returns, with `'static` for every lifetime.
    pub(crate) output: Option<Type>,
    /// What it returns if that borrows, with [`RETURNED`] for the lifetime.
    pub(crate) borrowed: Option<Type>,
}

/// An argument: its type, with `'static` for every lifetime.
pub(crate) enum Arg {
    /// `&T`: the `T`.
    Lent { ty: Type, reference: TypeReference },
    /// `StreamSender<T>`.
    Sender { ty: Type },
    /// Anything else.
    Value { ty: Type },
}

impl Kind {
    pub(crate) fn parse(attribute: TokenStream, errors: &mut Errors) -> Self {
        let parser = |input: ParseStream<'_>| {
            if input.is_empty() {
                return Err(syn::Error::new(proc_macro2::Span::call_site(), EXPECTED));
            }
            if input.peek(Ident::peek_any) {
                let word = parse::word(input, EXPECTED)?;
                let kind = match word.to_string().as_str() {
                    "authenticate" => Self::Authenticate,
                    "connect" => Self::Connect,
                    "disconnect" => Self::Disconnect,
                    "concurrent" | "finish" => {
                        let message = format!("the name comes first: `#[action(\"NAME\", {word})]`");
                        return Err(syn::Error::new(word.span(), message));
                    }
                    _ => return Err(syn::Error::new(word.span(), format!("unknown word `{word}`: {EXPECTED}"))),
                };
                input.parse::<Option<Token![,]>>()?;
                if !input.is_empty() {
                    return Err(input.error(format!("nothing follows `{word}`")));
                }
                return Ok(kind);
            }
            let name = parse::next(input, EXPECTED)?;
            let (mut concurrent, mut finish) = (false, false);
            while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
                let expected = "beside the name stand `concurrent` and `finish`: a handler handles one packet";
                let word = parse::word(input, expected)?;
                match word.to_string().as_str() {
                    "concurrent" => concurrent = true,
                    "finish" => finish = true,
                    _ => {
                        let message = format!("unknown word `{word}`: beside the name stand `concurrent` and `finish`");
                        return Err(syn::Error::new(word.span(), message));
                    }
                }
            }
            if !input.is_empty() {
                return Err(input.error(EXPECTED));
            }
            Ok(Self::Action { name, concurrent, finish })
        };
        match parser.parse2(attribute) {
            Ok(kind) => kind,
            Err(error) => {
                errors.push(error);
                Self::Broken
            }
        }
    }
}

impl<'a> Model<'a> {
    pub(crate) fn new(function: &'a Function, kind: Kind) -> Self {
        let signature = &function.sig;
        let args = signature.inputs.iter().filter_map(|arg| {
            let FnArg::Typed(arg) = arg else { return None };
            Some(match with_lifetime(bare(&arg.ty), "'static") {
                Type::Reference(reference) => Arg::Lent { ty: (*reference.elem).clone(), reference },
                ty if is_sender(&ty) => Arg::Sender { ty },
                ty => Arg::Value { ty },
            })
        });
        let (output, borrowed) = match &signature.output {
            ReturnType::Default => (None, None),
            ReturnType::Type(_, ty) => (Some(with_lifetime(ty, "'static")), borrowing(ty, RETURNED)),
        };
        Self {
            kind,
            function,
            cfgs: function.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect(),
            vis: &function.vis,
            ident: &signature.ident,
            is_async: signature.asyncness.is_some(),
            args: args.collect(),
            output,
            borrowed,
        }
    }

    pub(crate) fn is_method(&self) -> bool {
        self.function.sig.inputs.iter().any(|arg| matches!(arg, FnArg::Receiver(_)))
    }

    /// Whether it has parameters beside lifetimes, by name or by `impl`.
    pub(crate) fn is_generic(&self) -> bool {
        let signature = &self.function.sig;
        signature.generics.type_params().next().is_some()
            || signature.generics.const_params().next().is_some()
            || signature.inputs.iter().any(|arg| matches!(arg, FnArg::Typed(arg) if impl_trait(&arg.ty).is_some()))
    }

    /// The types of the arguments taken by value, in order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Type> {
        self.args.iter().filter_map(|arg| if let Arg::Value { ty } = arg { Some(ty) } else { None })
    }

    /// What a handler that authenticates makes: the `User` of the `Result<User, Refused>` that it returns.
    pub(crate) fn user(&self) -> Option<&Type> {
        let result = last_segment(bare(self.output.as_ref()?)).filter(|segment| segment.ident == "Result")?;
        let PathArguments::AngleBracketed(arguments) = &result.arguments else { return None };
        match arguments.args.first()? {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        }
    }

    /// The types of the arguments that are a stream's end, in order.
    pub(crate) fn senders(&self) -> impl Iterator<Item = &Type> {
        self.args.iter().filter_map(|arg| if let Arg::Sender { ty } = arg { Some(ty) } else { None })
    }
}

/// Whether a type is what a handler that authenticates may take beside the credentials; it goes by its name.
pub(super) fn is_kept(ty: &Type) -> bool {
    is_named(ty, &["Arc", "Hub"])
}

/// Whether a type is the producer's end of a stream; it goes by its name.
pub(super) fn is_sender(ty: &Type) -> bool {
    is_named(ty, &["StreamSender"])
}

/// The first `impl Trait` in a type.
pub(super) fn impl_trait(ty: &Type) -> Option<TypeImplTrait> {
    struct Find(Option<TypeImplTrait>);

    impl<'ast> Visit<'ast> for Find {
        fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
            self.0.get_or_insert_with(|| ty.clone());
        }
    }

    let mut find = Find(None);
    find.visit_type(ty);
    find.0
}

/// The lifetime for which a handler answers with something borrowed. Errors show it, and nothing else there has one.
pub(super) const RETURNED: &str = "'a";

const EXPECTED: &str = "write `#[action(\"NAME\")]` with the action of the packet, `#[action(authenticate)]`, `#[action(connect)]` or `#[action(disconnect)]`";

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::Kind;
    use crate::diagnostics::Errors;

    #[test]
    fn reads_what_stands_in_the_attribute() {
        let check = |tokens, expected: &str| {
            let mut errors = Errors::default();
            let kind = match Kind::parse(tokens, &mut errors) {
                Kind::Action { name, concurrent, finish } => format!("{} {concurrent} {finish}", name.value()),
                Kind::Authenticate => "authenticate".to_owned(),
                Kind::Connect => "connect".to_owned(),
                Kind::Disconnect => "disconnect".to_owned(),
                Kind::Broken => "broken".to_owned(),
            };
            assert_eq!((kind.as_str(), errors.is_empty()), (expected, expected != "broken"));
        };
        check(quote!("SAY"), "SAY false false");
        check(quote!("SAY", concurrent), "SAY true false");
        check(quote!("SAY", finish, concurrent,), "SAY true true");
        check(quote!(authenticate), "authenticate");
        check(quote!(connect), "connect");
        check(quote!(disconnect), "disconnect");
        check(quote!(), "broken");
        check(quote!(conect), "broken");
        check(quote!("SAY", fast), "broken");
        check(quote!("SAY" concurrent), "broken");
        check(quote!(connect, finish), "broken");
    }
}
