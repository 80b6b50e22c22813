//! Turns `wit/` into the SDK's modules: a function for every function, which asks the host where the plugin runs in one, and
//! the fake host of the test (`testing::Host`) elsewhere; and a struct for every call, which is what a test answers.
//! An interface that lands in `wit/` is here at once.
#![allow(clippy::disallowed_methods, reason = "a build script reads the environment that cargo gives it")]

use std::path::{Path, PathBuf};

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use wit_component::{StringEncoding, metadata};
use wit_parser::{
    Docs, Function, Handle, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, TypeId, TypeOwner, WorldId, WorldItem,
};

/// The world with every import and every export.
const WORLD: &str = "remediate";
/// The world of a plugin that only looks.
const DETECT_WORLD: &str = "detect";

fn main() {
    let wit = wit_folder();
    println!("cargo::rerun-if-changed={}", wit.display());
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&wit).expect("wit/ is valid");
    let world = resolve.select_world(&[package], Some(WORLD)).expect("wit/world.wit has the world `remediate`");
    let detect = resolve.select_world(&[package], Some(DETECT_WORLD)).expect("wit/world.wit has the world `detect`");

    let bindings = bindings(&wit);
    let imports = interfaces(&resolve, world, true);
    let modules = imports.iter().map(|&id| module(&resolve, id));
    let exported = interfaces(&resolve, world, false).into_iter().map(|id| traits(&resolve, id));
    let macros =
        [export_macro(&resolve, "__export_detect", detect), export_macro(&resolve, "__export_remediate", world)];
    let tokens = quote! { #bindings #(#modules)* #(#exported)* #(#macros)* };
    let file = syn::parse2(tokens).expect("the generated code parses");
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it")).join("generated.rs");
    std::fs::write(out, prettyplease::unparse(&file)).expect("cargo's own folder can be written");
}

/// `wit/` beside this file where the SDK is vendored into a plugin's project, else the repository's.
fn wit_folder() -> PathBuf {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let own = root.join("wit");
    let folder = if own.is_dir() { own } else { root.join("../wit") };
    folder.canonicalize().expect("wit/ is beside the SDK's Cargo.toml or beside its folder")
}

fn interfaces(resolve: &Resolve, world: WorldId, imported: bool) -> Vec<InterfaceId> {
    let world = &resolve.worlds[world];
    let items = if imported { &world.imports } else { &world.exports };
    items
        .values()
        .filter_map(|item| match item {
            WorldItem::Interface { id, .. } => Some(*id),
            _ => None,
        })
        .collect()
}

/// Every import bound once: what a plugin does not use, the linker leaves out.
fn bindings(wit: &Path) -> TokenStream {
    let path = wit.to_str().expect("the path of wit/ is UTF-8");
    quote! {
        #[doc(hidden)]
        #[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::restriction)]
        pub mod bindings {
            wit_bindgen::generate!({
                path: #path,
                world: #WORLD,
                pub_export_macro: true,
                export_macro_name: "__export_every_interface",
                additional_derives: [PartialEq],
                generate_unused_types: true,
            });
        }
    }
}

/// What a plugin's macro exports: the functions of the world's exports, and the world itself, by which the linker makes a
/// component of the module.
fn export_macro(resolve: &Resolve, name: &str, world: WorldId) -> TokenStream {
    let name = format_ident!("{name}");
    let encoded = metadata::encode(resolve, world, StringEncoding::UTF8, None).expect("the world can be encoded");
    let bytes = proc_macro2::Literal::byte_string(&encoded);
    let length = encoded.len();
    let section = format!("component-type:remit-sdk:{}", resolve.worlds[world].name);
    let exports = interfaces(resolve, world, false).into_iter().map(|id| {
        let bindings = bindings_path(resolve, id, true);
        let export = wit_bindgen_name(resolve, id);
        quote! { $crate::#bindings::#export!($guest with_types_in $crate::#bindings); }
    });
    quote! {
        #[doc(hidden)]
        #[macro_export]
        macro_rules! #name {
            ($guest:ident) => {
                #(#exports)*
                const _: () = {
                    #[unsafe(link_section = #section)]
                    static WORLD: [u8; #length] = *#bytes;
                };
            };
        }
    }
}

fn module(resolve: &Resolve, id: InterfaceId) -> TokenStream {
    let interface = &resolve.interfaces[id];
    let name = name_of(resolve, id);
    let module = snake(name);
    let docs = docs(&interface.docs, name);
    let types = interface.types.values().map(|&ty| type_def(resolve, id, ty));
    let changes = interface.docs.contents.as_deref().is_some_and(|text| text.contains("Changes."));
    let functions = interface.functions.values().map(|it| function(resolve, id, it));
    let calls = interface.functions.values().map(|it| call(resolve, id, it, changes));
    quote! {
        #docs
        pub mod #module {
            #(#types)*
            #(#functions)*
            #(#calls)*
        }
    }
}

/// Traits for the types of an interface that plugins export; the types themselves are named by hand at the crate's root.
fn traits(resolve: &Resolve, id: InterfaceId) -> TokenStream {
    let bindings = bindings_path(resolve, id, true);
    let types = resolve.interfaces[id].types.values().map(|&ty| type_traits(&resolve.types[ty], &bindings));
    quote! { #(#types)* }
}

fn type_def(resolve: &Resolve, id: InterfaceId, type_id: TypeId) -> TokenStream {
    let ty = &resolve.types[type_id];
    let wit = ty.name.as_deref().expect("a type of an interface has a name");
    let name = camel(wit);
    let bindings = bindings_path(resolve, id, false);
    match &ty.kind {
        TypeDefKind::Type(Type::Id(other)) if resolve.types[*other].owner != ty.owner => {
            let target = &resolve.types[*other];
            let of_interest = matches!(target.kind, TypeDefKind::Record(_) | TypeDefKind::Enum(_)) && wit != "error";
            let path = type_path(resolve, *other);
            if of_interest {
                quote! { #[doc(no_inline)] pub use #path; }
            } else {
                quote! {}
            }
        }
        TypeDefKind::Resource => {
            let docs = docs(&ty.docs, wit);
            quote! {
                #[cfg(target_arch = "wasm32")]
                pub use crate::#bindings::#name;
                #docs
                ///
                /// In a test, a name.
                #[cfg(not(target_arch = "wasm32"))]
                #[derive(Clone, Debug, PartialEq, Eq)]
                pub struct #name(
                    /// What the test calls it.
                    pub String,
                );
            }
        }
        _ => {
            let traits = type_traits(ty, &bindings);
            quote! { #[doc(inline)] pub use crate::#bindings::#name; #traits }
        }
    }
}

/// What wit-bindgen does not derive: a default of empty fields (an enum's is its first case), and the words of `wit/` as JSON.
fn type_traits(ty: &TypeDef, bindings: &TokenStream) -> TokenStream {
    let wit = ty.name.as_deref().unwrap_or_default();
    let name = camel(wit);
    match &ty.kind {
        TypeDefKind::Record(record) => {
            let fields: Vec<Ident> = record.fields.iter().map(|field| snake(&field.name)).collect();
            let wits: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
            let length = fields.len();
            quote! {
                impl Default for crate::#bindings::#name {
                    fn default() -> Self {
                        Self { #(#fields: Default::default(),)* }
                    }
                }
                impl serde::Serialize for crate::#bindings::#name {
                    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                        use serde::ser::SerializeStruct;
                        let mut record = serializer.serialize_struct(#wit, #length)?;
                        #(record.serialize_field(#wits, &self.#fields)?;)*
                        record.end()
                    }
                }
            }
        }
        TypeDefKind::Enum(cases) => {
            let variants: Vec<Ident> = cases.cases.iter().map(|case| camel(&case.name)).collect();
            let wits: Vec<&str> = cases.cases.iter().map(|case| case.name.as_str()).collect();
            let first = variants.first();
            quote! {
                impl crate::#bindings::#name {
                    /// The word in the contract.
                    pub fn word(self) -> &'static str {
                        match self { #(Self::#variants => #wits,)* }
                    }
                }
                impl Default for crate::#bindings::#name {
                    fn default() -> Self { Self::#first }
                }
                impl std::fmt::Display for crate::#bindings::#name {
                    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(self.word())
                    }
                }
                impl serde::Serialize for crate::#bindings::#name {
                    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                        serializer.serialize_str(self.word())
                    }
                }
            }
        }
        _ => quote! {},
    }
}

/// The function that a plugin calls.
fn function(resolve: &Resolve, id: InterfaceId, function: &Function) -> TokenStream {
    let docs = docs(&function.docs, &function.name);
    let name = snake(&function.name);
    let call = camel(&function.name);
    let bindings = bindings_path(resolve, id, false);
    let names: Vec<Ident> = function.params.iter().map(|param| snake(&param.name)).collect();
    let types = function.params.iter().map(|param| borrowed(resolve, &param.ty));
    let owned = function.params.iter().map(|param| to_owned(resolve, &param.ty, &snake(&param.name)));
    let answer = answer(resolve, function);
    let lift = match result_of(resolve, function) {
        Some(_) => quote! { .map_err(crate::Error::from) },
        None => quote! {},
    };
    quote! {
        #docs
        pub fn #name(#(#names: #types),*) -> #answer {
            #[cfg(target_arch = "wasm32")]
            { crate::#bindings::#name(#(#names),*) #lift }
            #[cfg(not(target_arch = "wasm32"))]
            { crate::testing::call(#call { #(#names: #owned,)* }) }
        }
    }
}

/// The call as a test sees it.
fn call(resolve: &Resolve, id: InterfaceId, function: &Function, changes: bool) -> TokenStream {
    let interface = name_of(resolve, id);
    let name = &function.name;
    let call = camel(name);
    let doc = format!("A call of [`{}`], for a test to answer.", name.to_snake_case());
    let fields = function.params.iter().map(|param| {
        let field = snake(&param.name);
        let ty = rust_type(resolve, &param.ty);
        let doc = format!("`{}`.", param.name);
        quote! { #[doc = #doc] pub #field: #ty }
    });
    let answer = answer(resolve, function);
    // Only a mutator is denied while `detect` runs, and every mutator answers a result.
    let deny = match (changes, result_of(resolve, function)) {
        (true, Some(_)) => quote! {
            fn denied(error: crate::Error) -> Option<Self::Answer> { Some(Err(error)) }
        },
        _ => quote! {},
    };
    let row = format!("{interface}.{name}");
    quote! {
        #[doc = #doc]
        #[cfg(not(target_arch = "wasm32"))]
        #[derive(Clone, Debug, PartialEq)]
        pub struct #call { #(#fields,)* }

        #[cfg(not(target_arch = "wasm32"))]
        impl crate::testing::Call for #call {
            type Answer = #answer;
            const NAME: &'static str = #row;
            const CHANGES: bool = #changes;
            #deny
        }
    }
}

fn answer(resolve: &Resolve, function: &Function) -> TokenStream {
    match (result_of(resolve, function), &function.result) {
        (Some(Some(ok)), _) => {
            let ok = rust_type(resolve, &ok);
            quote! { crate::Result<#ok> }
        }
        (Some(None), _) => quote! { crate::Result<()> },
        (None, Some(ty)) => rust_type(resolve, ty),
        (None, None) => quote! { () },
    }
}

/// The `T` of `result<T, error>`, where the function answers one.
fn result_of(resolve: &Resolve, function: &Function) -> Option<Option<Type>> {
    let Some(Type::Id(id)) = function.result else { return None };
    match &resolve.types[id].kind {
        TypeDefKind::Result(result) => Some(result.ok),
        _ => None,
    }
}

/// A type with its aliases undone: records, enums and resources keep their names, the rest is plain Rust.
fn plain<'a>(resolve: &'a Resolve, ty: &'a Type) -> (Option<TypeId>, Option<&'a TypeDefKind>) {
    let Type::Id(mut id) = *ty else { return (None, None) };
    while let TypeDefKind::Type(next) = &resolve.types[id].kind {
        match next {
            Type::Id(next) => id = *next,
            _ => return (None, Some(&resolve.types[id].kind)),
        }
    }
    (Some(id), Some(&resolve.types[id].kind))
}

fn rust_type(resolve: &Resolve, ty: &Type) -> TokenStream {
    match ty {
        Type::Bool => quote! { bool },
        Type::U8 => quote! { u8 },
        Type::U16 => quote! { u16 },
        Type::U32 => quote! { u32 },
        Type::U64 => quote! { u64 },
        Type::S32 => quote! { i32 },
        Type::S64 => quote! { i64 },
        Type::F64 => quote! { f64 },
        Type::String => quote! { String },
        Type::Id(_) => match plain(resolve, ty) {
            (_, Some(TypeDefKind::Type(alias))) => rust_type(resolve, alias),
            (_, Some(TypeDefKind::List(element))) => {
                let element = rust_type(resolve, element);
                quote! { Vec<#element> }
            }
            (_, Some(TypeDefKind::Option(inner))) => {
                let inner = rust_type(resolve, inner);
                quote! { Option<#inner> }
            }
            (_, Some(TypeDefKind::Tuple(tuple))) => {
                let members = tuple.types.iter().map(|ty| rust_type(resolve, ty));
                quote! { (#(#members,)*) }
            }
            (_, Some(TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)))) => type_path(resolve, *id),
            (Some(id), _) => type_path(resolve, id),
            (None, _) => panic!("wit/: {ty:?} is not used by the contract"),
        },
        other => panic!("wit/: {other:?} is not used by the contract"),
    }
}

/// How a parameter is handed over: as wit-bindgen wants it.
fn borrowed(resolve: &Resolve, ty: &Type) -> TokenStream {
    match (ty, plain(resolve, ty)) {
        (Type::String, _) | (_, (_, Some(TypeDefKind::Type(Type::String)))) => quote! { &str },
        (_, (_, Some(TypeDefKind::List(element)))) => {
            let element = rust_type(resolve, element);
            quote! { &[#element] }
        }
        (_, (_, Some(TypeDefKind::Option(inner)))) => {
            let inner = borrowed(resolve, inner);
            quote! { Option<#inner> }
        }
        (_, (_, Some(TypeDefKind::Record(_) | TypeDefKind::Handle(Handle::Borrow(_))))) => {
            let ty = rust_type(resolve, ty);
            quote! { &#ty }
        }
        _ => rust_type(resolve, ty),
    }
}

/// The owned form of a parameter, for the call that a test sees.
fn to_owned(resolve: &Resolve, ty: &Type, value: &Ident) -> TokenStream {
    match (ty, plain(resolve, ty)) {
        (Type::String, _) | (_, (_, Some(TypeDefKind::Type(Type::String) | TypeDefKind::List(_)))) => {
            quote! { #value.to_owned() }
        }
        (_, (_, Some(TypeDefKind::Option(inner)))) => {
            let inner = to_owned(resolve, inner, &format_ident!("inner"));
            quote! { #value.map(|inner| #inner) }
        }
        (_, (_, Some(TypeDefKind::Record(_) | TypeDefKind::Handle(Handle::Borrow(_))))) => quote! { #value.clone() },
        _ => quote! { #value },
    }
}

fn type_path(resolve: &Resolve, mut id: TypeId) -> TokenStream {
    // A `use` of another interface's type is that type.
    while let TypeDefKind::Type(Type::Id(next)) = &resolve.types[id].kind {
        id = *next;
    }
    let def = &resolve.types[id];
    let name = camel(def.name.as_deref().expect("records, enums and resources have names"));
    match def.owner {
        TypeOwner::Interface(owner) => {
            let module = snake(name_of(resolve, owner));
            quote! { crate::generated::#module::#name }
        }
        _ => panic!("wit/: `{name}` belongs to no interface"),
    }
}

/// Where wit-bindgen puts an interface, from the crate's root.
fn bindings_path(resolve: &Resolve, id: InterfaceId, exported: bool) -> TokenStream {
    let interface = &resolve.interfaces[id];
    let package = &resolve.packages[interface.package.expect("a file is in a package")].name;
    let (namespace, package) = (snake(&package.namespace), snake(&package.name));
    let module = snake(name_of(resolve, id));
    match exported {
        true => quote! { bindings::exports::#namespace::#package::#module },
        false => quote! { bindings::#namespace::#package::#module },
    }
}

/// The macro that wit-bindgen makes for an exported interface.
fn wit_bindgen_name(resolve: &Resolve, id: InterfaceId) -> Ident {
    let package = &resolve.packages[resolve.interfaces[id].package.expect("a file is in a package")].name;
    let version = package.version.as_ref().expect("the package has a version");
    let name = format!("{}_{}_{}_{version}", package.namespace, package.name, name_of(resolve, id));
    format_ident!("__export_{}_cabi", name.replace(['-', '.', '+'], "_"))
}

fn name_of(resolve: &Resolve, id: InterfaceId) -> &str {
    resolve.interfaces[id].name.as_deref().expect("the contract's interfaces have names")
}

fn docs(docs: &Docs, name: &str) -> TokenStream {
    let text = match docs.contents.as_deref() {
        Some(text) => text.trim().lines().map(|line| format!(" {}\n", line.trim())).collect::<String>(),
        None => format!(" `{name}`."),
    };
    let text = text.trim_end();
    quote! { #[doc = #text] }
}

fn snake(name: &str) -> Ident {
    let name = name.to_snake_case();
    syn::parse_str::<Ident>(&name).unwrap_or_else(|_| Ident::new_raw(&name, Span::call_site()))
}

fn camel(name: &str) -> Ident {
    format_ident!("{}", name.to_upper_camel_case())
}
