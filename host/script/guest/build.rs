//! Turns `wit/` into what an interpreter needs: each record and enum from and to a `Node`, and a table of every imported
//! function that takes and gives `Node`s.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use heck::{ToLowerCamelCase, ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use wit_parser::{Function, Handle, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, WorldItem};

fn main() -> anyhow::Result<()> {
    let manifest = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let contract = manifest.join("../../../wit");
    let contract = contract.canonicalize().with_context(|| format!("{}: the contract", contract.display()))?;
    let own = manifest.join("wit");
    println!("cargo::rerun-if-changed={}", contract.display());
    println!("cargo::rerun-if-changed={}", own.display());
    println!("cargo::rerun-if-changed=build.rs");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&contract)?;
    let world = resolve.select_world(&[package], Some("remediate")).context("the contract's world `remediate`")?;

    let text = |path: &Path| path.to_str().map(str::to_owned).with_context(|| format!("{}: no text", path.display()));
    let (contract, own) = (text(&contract)?, text(&own)?);
    let bindings = quote! {
        wit_bindgen::generate!({
            path: [#contract, #own],
            world: "remit:script/runtime",
            pub_export_macro: true,
            export_macro_name: "export",
            generate_all, generate_unused_types: true,
        });
    };
    let imports = interfaces(&resolve, world, true);
    let exports = interfaces(&resolve, world, false);
    let both = imports.iter().map(|&id| (id, false)).chain(exports.iter().map(|&id| (id, true)));
    let types = collected(both.map(|(id, exported)| conversions(&resolve, id, exported)))?;
    let functions = imports.iter().flat_map(|&id| resolve.interfaces[id].functions.values().map(move |it| (id, it)));
    let calls = collected(functions.map(|(id, function)| call(&resolve, id, function)))?;
    let rows = imports.iter().filter(|&&id| !resolve.interfaces[id].functions.is_empty()).map(|&id| row(&resolve, id));
    let rows: Vec<TokenStream> = rows.collect::<anyhow::Result<_>>()?;
    let generated = quote! {
        #types
        #calls
        /// Every interface that a script can import.
        pub static INTERFACES: &[Interface] = &[#(#rows),*];
    };
    write("bindings.rs", bindings)?;
    write("generated.rs", generated)
}

fn collected(parts: impl Iterator<Item = anyhow::Result<TokenStream>>) -> anyhow::Result<TokenStream> {
    parts.collect()
}

fn write(name: &str, tokens: TokenStream) -> anyhow::Result<()> {
    let file = syn::parse2(tokens).with_context(|| format!("{name} does not parse"))?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join(name);
    std::fs::write(&out, prettyplease::unparse(&file)).with_context(|| format!("{}", out.display()))
}

fn interfaces(resolve: &Resolve, world: wit_parser::WorldId, imported: bool) -> Vec<InterfaceId> {
    let world = &resolve.worlds[world];
    let items = if imported { &world.imports } else { &world.exports };
    items.values().filter_map(|item| match item {
        WorldItem::Interface { id, .. } => Some(*id),
        _ => None,
    }).collect()
}

fn conversions(resolve: &Resolve, id: InterfaceId, exported: bool) -> anyhow::Result<TokenStream> {
    let path = bindings_path(resolve, id, exported)?;
    Ok(resolve.interfaces[id].types.values().map(|&ty| conversion(&resolve.types[ty], &path)).collect())
}

fn conversion(ty: &TypeDef, path: &TokenStream) -> TokenStream {
    let wit = ty.name.as_deref().unwrap_or_default();
    let name = camel(wit);
    match &ty.kind {
        TypeDefKind::Record(record) => {
            let fields: Vec<Ident> = record.fields.iter().map(|field| snake(&field.name)).collect();
            let names: Vec<String> = record.fields.iter().map(|field| field.name.to_lower_camel_case()).collect();
            quote! {
                impl ToNode for #path::#name {
                    fn to_node(self) -> Node {
                        Node::Object(vec![#((#names.into(), self.#fields.to_node())),*])
                    }
                }
                impl FromNode for #path::#name {
                    fn from_node(node: Node) -> Result<Self, Wrong> {
                        let mut fields = Fields::of(node, &[#(#names),*])?;
                        Ok(Self { #(#fields: fields.take(#names)?),* })
                    }
                }
            }
        }
        TypeDefKind::Enum(cases) => {
            let variants: Vec<Ident> = cases.cases.iter().map(|case| camel(&case.name)).collect();
            let words: Vec<&str> = cases.cases.iter().map(|case| case.name.as_str()).collect();
            quote! {
                impl ToNode for #path::#name {
                    fn to_node(self) -> Node {
                        Node::Text(match self { #(Self::#variants => #words),* }.into())
                    }
                }
                impl FromNode for #path::#name {
                    fn from_node(node: Node) -> Result<Self, Wrong> {
                        match node.word(&[#(#words),*])? { #(#words => Ok(Self::#variants),)* _ => unreachable!() }
                    }
                }
            }
        }
        _ => quote! {},
    }
}

fn call(resolve: &Resolve, id: InterfaceId, function: &Function) -> anyhow::Result<TokenStream> {
    let path = bindings_path(resolve, id, false)?;
    let name = call_name(resolve, id, function)?;
    let method = snake(&function.name);
    let params: Vec<Ident> = function.params.iter().map(|param| snake(&param.name)).collect();
    let names = function.params.iter().map(|param| param.name.to_lower_camel_case());
    let types: Vec<TokenStream> =
        function.params.iter().map(|param| owned(resolve, &param.ty)).collect::<anyhow::Result<_>>()?;
    let handed = function.params.iter().zip(&params).map(|(param, name)| borrowed(resolve, &param.ty, name));
    let takes = quote! { #(let #params: #types = __given.take(#names)?;)* };
    let answer = match &function.result {
        None => quote! { #path::#method(#(#handed),*); Ok(Node::Null) },
        Some(Type::Id(id)) if matches!(resolve.types[*id].kind, TypeDefKind::Result(_)) => {
            quote! { Ok(#path::#method(#(#handed),*).map_err(Fault::Refused)?.to_node()) }
        }
        Some(_) => quote! { Ok(#path::#method(#(#handed),*).to_node()) },
    };
    Ok(quote! {
        #[allow(unused_mut, unused_variables)]
        fn #name(__nodes: Vec<Node>) -> Result<Node, Fault> {
            let mut __given = Arguments::new(__nodes);
            #takes
            #answer
        }
    })
}

fn row(resolve: &Resolve, id: InterfaceId) -> anyhow::Result<TokenStream> {
    let name = name_of(resolve, id)?;
    let functions = resolve.interfaces[id].functions.values().map(|function| {
        let call = call_name(resolve, id, function)?;
        let js = function.name.to_lower_camel_case();
        let length = function.params.len();
        Ok(quote! { crate::Function { name: #js, length: #length, call: #call } })
    });
    let functions: Vec<TokenStream> = functions.collect::<anyhow::Result<_>>()?;
    Ok(quote! { Interface { name: #name, functions: &[#(#functions),*] } })
}

fn name_of(resolve: &Resolve, id: InterfaceId) -> anyhow::Result<&str> {
    resolve.interfaces[id].name.as_deref().context("wit/: an interface has no name")
}

fn call_name(resolve: &Resolve, id: InterfaceId, function: &Function) -> anyhow::Result<Ident> {
    Ok(format_ident!("{}_{}", name_of(resolve, id)?.to_snake_case(), function.name.to_snake_case()))
}

/// A type with its aliases undone.
fn plain<'a>(resolve: &'a Resolve, ty: &'a Type) -> Result<&'a TypeDef, &'a Type> {
    let mut ty = ty;
    loop {
        let Type::Id(id) = ty else { return Err(ty) };
        match &resolve.types[*id].kind {
            TypeDefKind::Type(next) => ty = next,
            _ => return Ok(&resolve.types[*id]),
        }
    }
}

/// What a parameter is read as.
fn owned(resolve: &Resolve, ty: &Type) -> anyhow::Result<TokenStream> {
    Ok(match plain(resolve, ty) {
        Err(Type::Bool) => quote! { bool },
        Err(Type::U8) => quote! { u8 },
        Err(Type::U16) => quote! { u16 },
        Err(Type::U32) => quote! { u32 },
        Err(Type::U64) => quote! { u64 },
        Err(Type::S32) => quote! { i32 },
        Err(Type::S64) => quote! { i64 },
        Err(Type::F64) => quote! { f64 },
        Err(Type::String) => quote! { String },
        Err(other) => bail!("wit/: {other:?} is read from no script yet"),
        Ok(def) => match &def.kind {
            TypeDefKind::List(element) => {
                let element = owned(resolve, element)?;
                quote! { Vec<#element> }
            }
            TypeDefKind::Option(inner) => {
                let inner = owned(resolve, inner)?;
                quote! { Option<#inner> }
            }
            TypeDefKind::Tuple(tuple) => {
                let members: Vec<TokenStream> =
                    tuple.types.iter().map(|ty| owned(resolve, ty)).collect::<anyhow::Result<_>>()?;
                quote! { (#(#members,)*) }
            }
            TypeDefKind::Handle(Handle::Borrow(id)) => {
                let path = path_of(resolve, &resolve.types[*id])?;
                quote! { &'static #path }
            }
            TypeDefKind::Record(_) | TypeDefKind::Enum(_) => path_of(resolve, def)?,
            other => bail!("wit/: {other:?} is read from no script yet"),
        },
    })
}

/// How it is handed over: as wit-bindgen wants it.
fn borrowed(resolve: &Resolve, ty: &Type, name: &Ident) -> TokenStream {
    match plain(resolve, ty) {
        Err(Type::String) => quote! { &#name },
        Err(_) => quote! { #name },
        Ok(def) => match &def.kind {
            TypeDefKind::List(_) | TypeDefKind::Record(_) => quote! { &#name },
            TypeDefKind::Option(inner) => match plain(resolve, inner) {
                Err(Type::String) => quote! { #name.as_deref() },
                Ok(TypeDef { kind: TypeDefKind::List(_), .. }) => quote! { #name.as_deref() },
                Ok(TypeDef { kind: TypeDefKind::Record(_), .. }) => quote! { #name.as_ref() },
                _ => quote! { #name },
            },
            _ => quote! { #name },
        },
    }
}

fn path_of(resolve: &Resolve, def: &TypeDef) -> anyhow::Result<TokenStream> {
    let name = def.name.as_deref().context("wit/: a type has no name")?;
    let wit_parser::TypeOwner::Interface(owner) = def.owner else { bail!("wit/: {name} is of no interface") };
    let path = bindings_path(resolve, owner, false)?;
    let name = camel(name);
    Ok(quote! { #path::#name })
}

fn bindings_path(resolve: &Resolve, id: InterfaceId, exported: bool) -> anyhow::Result<TokenStream> {
    let module = snake(name_of(resolve, id)?);
    Ok(match exported {
        true => quote! { crate::bindings::exports::msp::automation::#module },
        false => quote! { crate::bindings::msp::automation::#module },
    })
}

fn camel(name: &str) -> Ident {
    Ident::new(&name.to_upper_camel_case(), Span::call_site())
}

fn snake(name: &str) -> Ident {
    let name = name.to_snake_case();
    syn::parse_str(&name).unwrap_or_else(|_| Ident::new_raw(&name, Span::call_site()))
}
