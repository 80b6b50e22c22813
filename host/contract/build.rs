//! Turns `wit/` into Rust: a module an interface, holding its types, a struct a function, and the trait that a backend
//! implements. What is said twice in other hosts (the types, the adapters, the table of capabilities) is said once here,
//! in `wit/`, so it cannot drift.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a build script may stop the build, and reads the environment that cargo gives it"
)]

use std::path::PathBuf;

use heck::{ToShoutySnakeCase, ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use wit_parser::{
    Docs, Function, Handle, Interface, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, TypeId, TypeOwner,
};

/// Exported by plugins, or linked without a grant: their functions are no calls through the gate.
const NOT_GRANTED: [&str; 5] = ["types", "run", "detection", "remediation", "parameters"];

fn main() {
    // Asked now, not when this script was compiled: worktrees that share a target folder share the script too. And because
    // cargo tells their crates apart only by times of files, who builds from another folder generates anew; everything that
    // depends on the contract, which is everything, follows.
    let wit = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../wit");
    println!("cargo::rerun-if-changed={}", wit.display());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PWD");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&wit).expect("wit/ is valid");
    let interfaces: Vec<InterfaceId> = resolve.packages[package].interfaces.values().copied().collect();
    let version = resolve.packages[package].name.version.as_ref().expect("the package has a version").to_string();

    let modules = interfaces.iter().map(|&id| module(&resolve, id));
    let granted: Vec<&Interface> = interfaces
        .iter()
        .map(|&id| &resolve.interfaces[id])
        .filter(|interface| !NOT_GRANTED.contains(&interface.name.as_deref().unwrap()))
        .collect();
    let table = table(&granted, &version);
    let all = everything(interfaces.iter().map(|&id| &resolve.interfaces[id]));
    let backends = backends(&granted);
    let each = each_call(&granted);
    let tokens = quote! { #(#modules)* #table #all #backends #each };
    let file = syn::parse2(tokens).expect("the generated code parses");
    let out = PathBuf::from(std::env::var("OUT_DIR").unwrap()).join("contract.rs");
    std::fs::write(out, prettyplease::unparse(&file)).unwrap();
}

fn module(resolve: &Resolve, id: InterfaceId) -> TokenStream {
    let interface = &resolve.interfaces[id];
    let name = interface.name.as_deref().unwrap();
    let module = snake(name);
    let docs = docs(&interface.docs, name);
    let types = interface.types.values().map(|&ty| type_def(resolve, id, ty));
    let calls = (!NOT_GRANTED.contains(&name)).then(|| calls(resolve, id, name));
    let serde =
        (!interface.types.is_empty() || calls.is_some()).then(|| quote! { use serde::{Deserialize, Serialize}; });
    quote! {
        #docs
        pub mod #module {
            #serde
            #(#types)*
            #calls
        }
    }
}

fn calls(resolve: &Resolve, id: InterfaceId, name: &str) -> TokenStream {
    let interface = &resolve.interfaces[id];
    let functions: Vec<&Function> = interface.functions.values().collect();
    let structs = functions.iter().map(|function| call(resolve, id, name, function));
    let methods = functions.iter().map(|function| {
        let docs = docs(&function.docs, &function.name);
        let method = snake(&function.name);
        let call = camel(&function.name);
        let ok = ok_type(resolve, id, function);
        quote! {
            #docs
            async fn #method(&self, cx: &crate::Context, call: &#call) -> Result<#ok, crate::types::Error>;
        }
    });
    let doc = format!("What stands behind `{name}` on a device.");
    let refusals = functions.iter().map(|function| {
        let method = snake(&function.name);
        let call = camel(&function.name);
        let ok = ok_type(resolve, id, function);
        quote! {
            async fn #method(&self, _cx: &crate::Context, _call: &#call) -> Result<#ok, crate::types::Error> {
                Err(crate::types::Error::unsupported(#name))
            }
        }
    });
    let unsupported =
        format!("Stands behind `{name}` where the platform lacks it: every function answers `unsupported`.");
    quote! {
        #(#structs)*

        #[doc = #unsupported]
        #[derive(Clone, Copy, Debug)]
        pub struct Unsupported;

        #[async_trait::async_trait]
        impl Backend for Unsupported {
            #(#refusals)*
        }

        #[doc = #doc]
        #[async_trait::async_trait]
        pub trait Backend: ::core::marker::Send + ::core::marker::Sync {
            #(#methods)*
        }
    }
}

fn call(resolve: &Resolve, id: InterfaceId, interface: &str, function: &Function) -> TokenStream {
    let name = &function.name;
    let call = camel(name);
    let docs = docs(&function.docs, name);
    let row = format_ident!("{}", interface.to_shouty_snake_case());
    let module = snake(interface);
    let method = snake(name);
    let ok = ok_type(resolve, id, function);
    let ok_id = ok_of(resolve, function);
    let fields = function.params.iter().map(|param| {
        let field = snake(&param.name);
        let ty = rust_type(resolve, id, &param.ty);
        let doc = format!("`{}` of `{name}`.", param.name);
        let with = serde_with(resolve, &param.ty);
        quote! { #[doc = #doc] #with pub #field: #ty }
    });
    let footprints = function.params.iter().map(|param| {
        let field = snake(&param.name);
        quote! { crate::Footprint::footprint(&self.#field) }
    });
    let (to_json, from_json) = if ok_id.is_some_and(|ty| is_bytes(resolve, &ty)) {
        (
            quote! { serde_json::Value::String(crate::bytes::encode(ok)) },
            quote! { serde_json::from_value::<crate::bytes::Bytes>(value).map(|bytes| bytes.0) },
        )
    } else {
        (quote! { serde_json::to_value(ok).unwrap_or_default() }, quote! { serde_json::from_value(value) })
    };
    let changes = match ok_id {
        Some(ty) => changes_of(resolve, &ty).unwrap_or_else(|| quote! { let _ = ok; Vec::new() }),
        None => quote! { let _ = ok; Vec::new() },
    };
    let boundary = boundary(resolve, id, function);
    quote! {
        #docs
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct #call { #(#fields,)* }

        impl crate::Footprint for #call {
            fn footprint(&self) -> usize { <[usize]>::iter(&[#(#footprints,)*]).sum() }
        }

        impl crate::Call for #call {
            const INTERFACE: &'static crate::Interface = &crate::#row;
            const FUNCTION: &'static str = #name;
            type Ok = #ok;
            fn perform<'a>(
                &'a self,
                backends: &'a crate::Backends,
                cx: &'a crate::Context,
            ) -> crate::Answer<'a, Self::Ok> {
                backends.#module.#method(cx, self)
            }
            fn changes(ok: &mut Self::Ok) -> Vec<&mut crate::types::Change> { #changes }
            fn to_json(ok: &Self::Ok) -> serde_json::Value { #to_json }
            fn from_json(value: serde_json::Value) -> serde_json::Result<Self::Ok> { #from_json }
        }

        #boundary
    }
}

/// How the call crosses into and out of wasmtime: only there are secrets handles.
fn boundary(resolve: &Resolve, id: InterfaceId, function: &Function) -> TokenStream {
    let call = camel(&function.name);
    let names: Vec<Ident> = function.params.iter().map(|param| snake(&param.name)).collect();
    let types = function.params.iter().map(|param| match secret_param(resolve, &param.ty) {
        true => quote! { Option<wasmtime::component::Resource<crate::types::Secret>> },
        false => rust_type(resolve, id, &param.ty),
    });
    let lifts = function.params.iter().map(|param| {
        let field = snake(&param.name);
        match secret_param(resolve, &param.ty) {
            true => quote! { let #field = #field.map(|handle| handles.resolve(handle.rep())).transpose()?; },
            false => quote! {},
        }
    });
    let ok = ok_type(resolve, id, function);
    let (lowered, lower) = match ok_of(resolve, function).is_some_and(|ty| is_secret(resolve, &ty)) {
        true => (
            quote! { wasmtime::component::Resource<crate::types::Secret> },
            quote! { handles.open(ok).map(wasmtime::component::Resource::new_own) },
        ),
        false => (ok, quote! { let _ = handles; Ok(ok) }),
    };
    quote! {
        #[cfg(feature = "wasmtime")]
        impl crate::Boundary for #call {
            type Params = (#(#types,)*);
            type Lowered = #lowered;
            fn lift(
                (#(#names,)*): Self::Params,
                handles: &mut dyn crate::Handles,
            ) -> Result<Self, crate::types::Error> {
                let _ = &handles;
                #(#lifts)*
                Ok(Self { #(#names,)* })
            }
            fn lower(
                ok: <Self as crate::Call>::Ok,
                handles: &mut dyn crate::Handles,
            ) -> Result<Self::Lowered, crate::types::Error> {
                #lower
            }
        }
    }
}

/// What is granted, what is always linked, and what plugins export.
fn everything<'a>(interfaces: impl Iterator<Item = &'a Interface>) -> TokenStream {
    let rows = interfaces.map(|interface| {
        let (name, functions) = (interface.name.as_deref().unwrap(), interface.functions.keys());
        quote! { (#name, &[#(#functions),*]) }
    });
    quote! {
        /// Every interface of this version of the contract, with its functions: what is granted, linked always, or exported.
        pub static EVERYTHING: &[(&str, &[&str])] = &[#(#rows),*];
    }
}

fn table(granted: &[&Interface], version: &str) -> TokenStream {
    let rows = granted.iter().map(|interface| {
        let name = interface.name.as_deref().unwrap();
        let row = format_ident!("{}", name.to_shouty_snake_case());
        let text = interface.docs.contents.as_deref().unwrap_or_default();
        let class_line = line(text, "Class:", name);
        let class = match class_line.split([' ', ',', ';', '.']).next() {
            Some(class @ ("L0" | "L1" | "L2" | "L3" | "L4")) => format_ident!("{class}"),
            _ => panic!("wit/{name}.wit: `Class:` must begin with L0 to L4, not `{class_line}`"),
        };
        let changes = match (class_line.contains("Reads."), class_line.contains("Changes.")) {
            (true, false) => false,
            (false, true) => true,
            _ => panic!("wit/{name}.wit: `Class:` must say either `Reads.` or `Changes.`"),
        };
        let people = class_line.contains("reveals people");
        let scope_line = line(text, "Scope:", name);
        let scope = match scope_line.split([' ', ',', ';', '.', ':']).next() {
            Some("none") => quote! { None },
            Some("names") => quote! { Names },
            Some("globs") => quote! { Globs },
            Some("origins") => quote! { Origins },
            Some("methods") => quote! { Methods },
            _ => panic!(
                "wit/{name}.wit: `Scope:` must begin with none, names, globs, origins or methods, not `{scope_line}`"
            ),
        };
        line(text, "Dry run:", name);
        let functions: Vec<&str> = interface.functions.keys().map(String::as_str).collect();
        let doc = format!("The row of `{name}`.");
        quote! {
            #[doc = #doc]
            pub static #row: Interface = Interface {
                name: #name,
                class: Class::#class,
                changes: #changes,
                people: #people,
                scope: ScopeGrammar::#scope,
                functions: &[#(#functions),*],
            };
        }
    });
    let names = granted.iter().map(|interface| {
        let row = format_ident!("{}", interface.name.as_deref().unwrap().to_shouty_snake_case());
        quote! { &#row }
    });
    quote! {
        /// The version of `msp:automation` that this host speaks.
        pub const VERSION: &str = #version;
        #(#rows)*
        /// Every interface that can be granted, by name.
        pub static INTERFACES: &[&Interface] = &[#(#names),*];
    }
}

fn backends(granted: &[&Interface]) -> TokenStream {
    let fields = granted.iter().map(|interface| {
        let name = interface.name.as_deref().unwrap();
        let field = snake(name);
        let doc = format!("Behind `{name}`.");
        quote! { #[doc = #doc] pub #field: std::sync::Arc<dyn #field::Backend> }
    });
    quote! {
        /// What stands behind every interface on one device, real or in memory.
        #[derive(Clone)]
        pub struct Backends { #(#fields,)* }
    }
}

/// A macro that calls another one with every interface and its calls: how the linker binds them all without a list of its own.
fn each_call(granted: &[&Interface]) -> TokenStream {
    let rows = granted.iter().map(|interface| {
        let name = interface.name.as_deref().unwrap();
        let module = snake(name);
        let calls = interface.functions.keys().map(|function| camel(function));
        quote! { #name => #module { #(#calls),* } }
    });
    quote! {
        /// Expands `$callback!` with every interface, its module, and its calls.
        #[macro_export]
        macro_rules! each_interface {
            ($callback:ident) => { $callback! { #(#rows)* } };
        }
    }
}

fn type_def(resolve: &Resolve, id: InterfaceId, type_id: TypeId) -> TokenStream {
    let ty = &resolve.types[type_id];
    let wit = ty.name.as_deref().unwrap();
    let name = camel(wit);
    let docs = docs(&ty.docs, wit);
    match &ty.kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter().map(|field| {
                let rust = snake(&field.name);
                let docs = self::docs(&field.docs, &field.name);
                let ty = rust_type(resolve, id, &field.ty);
                let wit = &field.name;
                let with = serde_with(resolve, &field.ty);
                quote! {
                    #docs
                    #[cfg_attr(feature = "wasmtime", component(name = #wit))]
                    #with
                    pub #rust: #ty
                }
            });
            let footprints = record.fields.iter().map(|field| {
                let rust = snake(&field.name);
                quote! { crate::Footprint::footprint(&self.#rust) }
            });
            let masks = record.fields.iter().map(|field| {
                let rust = snake(&field.name);
                quote! { crate::Maskable::mask(&mut self.#rust, mask); }
            });
            quote! {
                #docs
                #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
                #[serde(rename_all = "kebab-case", deny_unknown_fields)]
                #[cfg_attr(feature = "wasmtime", derive(
                    wasmtime::component::ComponentType, wasmtime::component::Lift, wasmtime::component::Lower,
                ))]
                #[cfg_attr(feature = "wasmtime", component(record))]
                pub struct #name { #(#fields,)* }

                impl crate::Footprint for #name {
                    fn footprint(&self) -> usize { <[usize]>::iter(&[#(#footprints,)*]).sum() }
                }

                impl crate::Maskable for #name {
                    fn mask(&mut self, mask: &dyn crate::Mask) { #(#masks)* let _ = mask; }
                }
            }
        }
        TypeDefKind::Enum(cases) => {
            let variants: Vec<Ident> = cases.cases.iter().map(|case| camel(&case.name)).collect();
            let wits: Vec<&str> = cases.cases.iter().map(|case| case.name.as_str()).collect();
            let docs_of = cases.cases.iter().map(|case| self::docs(&case.docs, &case.name));
            quote! {
                #docs
                #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
                #[serde(rename_all = "kebab-case")]
                #[cfg_attr(feature = "wasmtime", derive(
                    wasmtime::component::ComponentType, wasmtime::component::Lift, wasmtime::component::Lower,
                ))]
                #[cfg_attr(feature = "wasmtime", component(enum))]
                #[repr(u8)]
                pub enum #name {
                    #(#docs_of #[cfg_attr(feature = "wasmtime", component(name = #wits))] #variants,)*
                }

                impl #name {
                    /// The word in `wit/`.
                    pub fn word(self) -> &'static str {
                        match self { #(Self::#variants => #wits,)* }
                    }
                }

                impl crate::Footprint for #name {
                    fn footprint(&self) -> usize { 1 }
                }

                impl crate::Maskable for #name {
                    fn mask(&mut self, _: &dyn crate::Mask) {}
                }
            }
        }
        // An alias of another interface's type is `use`; its own docs are there.
        TypeDefKind::Type(Type::Id(other)) if is_use(resolve, *other, ty) => {
            let target = type_path(resolve, id, *other);
            quote! { pub use #target as #name; }
        }
        TypeDefKind::Resource => quote! {
            #docs
            #[derive(Clone, Copy, Debug)]
            pub enum #name {}
        },
        TypeDefKind::Type(alias) => {
            let target = rust_type(resolve, id, alias);
            quote! { #docs pub type #name = #target; }
        }
        TypeDefKind::List(element) => {
            let element = rust_type(resolve, id, element);
            quote! { #docs pub type #name = Vec<#element>; }
        }
        other => panic!("wit/: type `{wit}` is a {}, which the contract does not use", other.as_str()),
    }
}

fn is_use(resolve: &Resolve, other: TypeId, ty: &TypeDef) -> bool {
    resolve.types[other].owner != ty.owner && resolve.types[other].name.is_some()
}

fn rust_type(resolve: &Resolve, id: InterfaceId, ty: &Type) -> TokenStream {
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
        Type::Id(type_id) => {
            let def = &resolve.types[*type_id];
            if def.name.is_some() {
                return type_path(resolve, id, *type_id);
            }
            match &def.kind {
                TypeDefKind::List(element) => {
                    let element = rust_type(resolve, id, element);
                    quote! { Vec<#element> }
                }
                TypeDefKind::Option(inner) if is_secret(resolve, inner) => quote! { Option<crate::SecretUse> },
                TypeDefKind::Option(inner) => {
                    let inner = rust_type(resolve, id, inner);
                    quote! { Option<#inner> }
                }
                TypeDefKind::Tuple(tuple) => {
                    let members = tuple.types.iter().map(|ty| rust_type(resolve, id, ty));
                    quote! { (#(#members,)*) }
                }
                TypeDefKind::Handle(_) => quote! { crate::SecretUse },
                other => panic!("wit/: an unnamed {} is not used by the contract", other.as_str()),
            }
        }
        other => panic!("wit/: {other:?} is not used by the contract"),
    }
}

fn type_path(resolve: &Resolve, from: InterfaceId, type_id: TypeId) -> TokenStream {
    let def = &resolve.types[type_id];
    let name = camel(def.name.as_deref().unwrap());
    match def.owner {
        TypeOwner::Interface(owner) if owner != from => {
            let module = snake(resolve.interfaces[owner].name.as_deref().unwrap());
            quote! { crate::#module::#name }
        }
        _ => quote! { #name },
    }
}

/// The `T` of a function's `result<T, error>`; none for `result<_, error>`.
fn ok_of(resolve: &Resolve, function: &Function) -> Option<Type> {
    let Some(Type::Id(result)) = function.result else {
        panic!("wit/: `{}` must answer result<_, error>", function.name)
    };
    match &resolve.types[result].kind {
        TypeDefKind::Result(result) => result.ok,
        _ => panic!("wit/: `{}` must answer result<_, error>", function.name),
    }
}

fn ok_type(resolve: &Resolve, id: InterfaceId, function: &Function) -> TokenStream {
    ok_of(resolve, function).map_or(quote! { () }, |ty| rust_type(resolve, id, &ty))
}

/// Where in an answer the `change`s of `types` are: in itself, in its field `change`, or in each member of a list.
fn changes_of(resolve: &Resolve, ty: &Type) -> Option<TokenStream> {
    let &Type::Id(mut type_id) = ty else { return None };
    while let TypeDefKind::Type(Type::Id(next)) = &resolve.types[type_id].kind {
        type_id = *next;
    }
    let def = &resolve.types[type_id];
    if def.name.as_deref() == Some("change") {
        return Some(quote! { vec![ok] });
    }
    match &def.kind {
        TypeDefKind::Record(record) => {
            record.fields.iter().any(|field| field.name == "change").then(|| quote! { vec![&mut ok.change] })
        }
        TypeDefKind::List(element) => {
            changes_of(resolve, element)?;
            Some(quote! { ok.iter_mut().map(|item| &mut item.change).collect() })
        }
        _ => None,
    }
}

fn is_bytes(resolve: &Resolve, ty: &Type) -> bool {
    matches!(ty, Type::Id(id) if matches!(resolve.types[*id].kind, TypeDefKind::List(Type::U8)))
}

fn is_secret(resolve: &Resolve, ty: &Type) -> bool {
    matches!(ty, Type::Id(id) if matches!(
        resolve.types[*id].kind,
        TypeDefKind::Handle(Handle::Own(_) | Handle::Borrow(_))
    ))
}

fn secret_param(resolve: &Resolve, ty: &Type) -> bool {
    matches!(ty, Type::Id(id) if matches!(
        &resolve.types[*id].kind,
        TypeDefKind::Option(inner) if is_secret(resolve, inner)
    ))
}

fn serde_with(resolve: &Resolve, ty: &Type) -> TokenStream {
    match is_bytes(resolve, ty) {
        true => quote! { #[serde(with = "crate::bytes")] },
        false => quote! {},
    }
}

/// The rest of the line of an interface's documentation that begins so.
fn line<'a>(text: &'a str, word: &str, name: &str) -> &'a str {
    text.lines()
        .find_map(|line| line.trim().strip_prefix(word))
        .unwrap_or_else(|| panic!("wit/{name}.wit: the interface's documentation has no line `{word}`"))
        .trim()
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
