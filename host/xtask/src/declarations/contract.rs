//! `wit/` as a language without a component model sees it: modules, types, functions.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, bail};
use wit_parser::{
    Docs, Function as WitFunction, Handle, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, TypeId, TypeOwner,
};

/// What a plugin exports; all else is imported.
const EXPORTED: [&str; 3] = ["detection", "remediation", "parameters"];
/// Linked for every plugin, and never declared.
const AMBIENT: [&str; 2] = ["types", "run"];

/// Everything that a plugin can see.
pub(crate) struct Contract {
    /// In the order of the package.
    pub(crate) modules: Vec<Module>,
    /// Its version.
    pub(crate) version: String,
    /// What each type is, however it is called where it is used.
    handed: BTreeSet<Name>,
    answered: BTreeSet<Name>,
}

/// A type: the interface that it belongs to, and its name there.
pub(crate) type Name = (String, String);

/// An interface.
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) docs: String,
    /// Exported by the plugin, not imported.
    pub(crate) exported: bool,
    pub(crate) types: Vec<Item>,
    /// Types of other interfaces, by the interface.
    pub(crate) uses: Vec<Name>,
    pub(crate) functions: Vec<Function>,
}

/// A type with a name.
pub(crate) struct Item {
    pub(crate) name: Name,
    pub(crate) docs: String,
    pub(crate) shape: Shape,
}

/// What is behind a name.
pub(crate) enum Shape {
    Record(Vec<Field>),
    Enum(Vec<Case>),
    Alias(Ty),
    Resource,
}

/// A field of a record, or a parameter of a function.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) docs: String,
    pub(crate) ty: Ty,
}

/// A word of an enum.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) docs: String,
}

/// A function.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) docs: String,
    pub(crate) params: Vec<Field>,
    /// What it answers, where it does.
    pub(crate) answer: Option<Ty>,
    /// Whether the host may refuse.
    pub(crate) fails: bool,
}

/// A type where it is used.
#[derive(Clone)]
pub(crate) enum Ty {
    Bool,
    /// A whole number from one to the other.
    Whole(i64, u64),
    Float,
    Text,
    Bytes,
    List(Box<Self>),
    Option(Box<Self>),
    Pair(Box<Self>, Box<Self>),
    Named(Name),
}

impl Ty {
    /// Whether it may be left out where it is handed to the host.
    pub(crate) fn is_optional(&self, contract: &Contract) -> bool {
        match self {
            Self::Option(_) | Self::List(_) => true,
            Self::Named(name) => match contract.alias(name) {
                Some(alias) => alias.is_optional(contract),
                None => false,
            },
            _ => false,
        }
    }
}

impl Module {
    /// Whether there is anything in it that a plugin imports.
    pub(crate) fn is_seen(&self) -> bool {
        !self.exported || !self.types.is_empty()
    }

    /// Whether a manifest must declare it.
    pub(crate) fn is_granted(&self) -> bool {
        !self.exported && !AMBIENT.contains(&self.name.as_str())
    }

    /// Whether a grant of it has a scope.
    pub(crate) fn has_scope(&self) -> bool {
        !self.docs.lines().any(|line| line.trim() == "Scope: none.")
    }
}

impl Contract {
    /// Reads the folder.
    pub(crate) fn read(wit: &Path) -> anyhow::Result<Self> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(wit).with_context(|| format!("{}", wit.display()))?;
        let package = resolve.packages.get(package).context("the folder has a package")?;
        let version = package.name.version.as_ref().context("the package has a version")?.to_string();
        let modules = package.interfaces.values().map(|&id| module(&resolve, id)).collect::<anyhow::Result<_>>()?;
        let mut contract = Self { modules, version, handed: BTreeSet::new(), answered: BTreeSet::new() };
        contract.follow()?;
        Ok(contract)
    }

    /// The types of other interfaces that a module's own types and functions are made of, by interface.
    pub(crate) fn used<'a>(&self, module: &'a Module) -> Vec<(&'a str, Vec<Name>)> {
        let records = module.types.iter().flat_map(|item| match &item.shape {
            Shape::Record(fields) => fields.as_slice(),
            _ => &[],
        });
        let functions = module.functions.iter().filter(|_| !module.exported);
        let calls = functions.flat_map(|it| it.params.iter().map(|param| &param.ty).chain(&it.answer));
        let mut named = BTreeSet::new();
        records.map(|field| &field.ty).chain(calls).for_each(|ty| names(ty, &mut named));
        let mut used: Vec<(&'a str, Vec<Name>)> = Vec::new();
        for name in module.uses.iter().filter(|it| named.contains(it)) {
            match used.iter_mut().find(|(owner, _)| *owner == name.0) {
                Some((_, names)) => names.push(name.clone()),
                None => used.push((&name.0, vec![name.clone()])),
            }
        }
        used
    }

    /// The type of this name.
    pub(crate) fn item(&self, name: &Name) -> Option<&Item> {
        self.modules.iter().flat_map(|it| &it.types).find(|it| it.name == *name)
    }

    fn alias(&self, name: &Name) -> Option<&Ty> {
        match &self.item(name)?.shape {
            Shape::Alias(ty) => Some(ty),
            _ => None,
        }
    }

    /// Whether it is handed to the host somewhere.
    pub(crate) fn is_handed(&self, name: &Name) -> bool {
        self.handed.contains(name)
    }

    /// Whether the host answers it somewhere.
    pub(crate) fn is_answered(&self, name: &Name) -> bool {
        self.answered.contains(name)
    }

    /// Whether something of it may be left out, or written in another way, where it is handed to the host.
    pub(crate) fn is_loose(&self, ty: &Ty) -> bool {
        match ty {
            Ty::Bool | Ty::Whole(..) | Ty::Float | Ty::Text => false,
            Ty::Bytes | Ty::List(_) | Ty::Option(_) => true,
            Ty::Pair(a, b) => self.is_loose(a) || self.is_loose(b),
            Ty::Named(name) => match self.item(name).map(|it| &it.shape) {
                Some(Shape::Record(fields)) => fields.iter().any(|field| self.is_loose(&field.ty)),
                Some(Shape::Alias(ty)) => self.is_loose(ty),
                _ => false,
            },
        }
    }

    /// Whether the type has two forms: one that is handed to the host, and a stricter one that it answers.
    pub(crate) fn has_two_forms(&self, name: &Name) -> bool {
        self.handed.contains(name) && self.answered.contains(name) && self.is_loose(&Ty::Named(name.clone()))
    }

    /// Notes which types cross in which direction.
    fn follow(&mut self) -> anyhow::Result<()> {
        let (mut handed, mut answered) = (BTreeSet::new(), BTreeSet::new());
        for module in &self.modules {
            // What a plugin exports, the host calls.
            let (params, answers) = match module.exported {
                false => (&mut handed, &mut answered),
                true => (&mut answered, &mut handed),
            };
            for function in &module.functions {
                function.params.iter().for_each(|param| self.reach(&param.ty, params));
                function.answer.iter().for_each(|ty| self.reach(ty, answers));
            }
        }
        // A plugin hands over errors of its own, and is told of the host's.
        let error = Ty::Named(("types".to_owned(), "error".to_owned()));
        self.reach(&error, &mut handed);
        self.reach(&error, &mut answered);
        (self.handed, self.answered) = (handed, answered);
        Ok(())
    }

    fn reach(&self, ty: &Ty, into: &mut BTreeSet<Name>) {
        match ty {
            Ty::List(inner) | Ty::Option(inner) => self.reach(inner, into),
            Ty::Pair(a, b) => {
                self.reach(a, into);
                self.reach(b, into);
            }
            Ty::Named(name) if into.insert(name.clone()) => match self.item(name).map(|it| &it.shape) {
                Some(Shape::Record(fields)) => fields.iter().for_each(|field| self.reach(&field.ty, into)),
                Some(Shape::Alias(ty)) => self.reach(ty, into),
                _ => {}
            },
            _ => {}
        }
    }
}

/// The names in a type, not what they stand for.
fn names<'a>(ty: &'a Ty, into: &mut BTreeSet<&'a Name>) {
    match ty {
        Ty::List(inner) | Ty::Option(inner) => names(inner, into),
        Ty::Pair(a, b) => {
            names(a, into);
            names(b, into);
        }
        Ty::Named(name) => {
            into.insert(name);
        }
        _ => {}
    }
}

fn module(resolve: &Resolve, id: InterfaceId) -> anyhow::Result<Module> {
    let interface = resolve.interfaces.get(id).context("an interface")?;
    let name = interface.name.clone().context("the contract's interfaces have names")?;
    let mut module = Module {
        exported: EXPORTED.contains(&name.as_str()),
        docs: text(&interface.docs),
        types: Vec::new(),
        uses: Vec::new(),
        functions: Vec::new(),
        name,
    };
    for &id in interface.types.values() {
        let def = resolve.types.get(id).context("a type")?;
        let named = named(resolve, id)?;
        match origin(resolve, id)? {
            origin if origin == named => module.types.push(item(resolve, def, named)?),
            origin => module.uses.push(origin),
        }
    }
    for function in interface.functions.values() {
        module.functions.push(self::function(resolve, function)?);
    }
    Ok(module)
}

fn item(resolve: &Resolve, def: &TypeDef, name: Name) -> anyhow::Result<Item> {
    let shape = match &def.kind {
        TypeDefKind::Record(record) => {
            let field = |it: &wit_parser::Field| field(resolve, &it.name, &it.docs, &it.ty);
            Shape::Record(record.fields.iter().map(field).collect::<anyhow::Result<_>>()?)
        }
        TypeDefKind::Enum(cases) => {
            let case = |it: &wit_parser::EnumCase| Case { name: it.name.clone(), docs: text(&it.docs) };
            Shape::Enum(cases.cases.iter().map(case).collect())
        }
        TypeDefKind::Resource => Shape::Resource,
        TypeDefKind::Type(alias) => Shape::Alias(ty(resolve, alias)?),
        other => Shape::Alias(of_kind(resolve, other)?),
    };
    Ok(Item { name, docs: text(&def.docs), shape })
}

fn function(resolve: &Resolve, it: &WitFunction) -> anyhow::Result<Function> {
    let params = it
        .params
        .iter()
        .map(|param| field(resolve, &param.name, &Docs::default(), &param.ty))
        .collect::<anyhow::Result<_>>()?;
    let result = match &it.result {
        Some(Type::Id(id)) => match &resolve.types.get(*id).context("a type")?.kind {
            TypeDefKind::Result(result) => Some(result.ok),
            _ => None,
        },
        _ => None,
    };
    let (answer, fails) = match result {
        Some(ok) => (ok, true),
        None => (it.result, false),
    };
    let answer = answer.map(|it| ty(resolve, &it)).transpose()?;
    Ok(Function { name: it.name.clone(), docs: text(&it.docs), params, answer, fails })
}

fn field(resolve: &Resolve, name: &str, docs: &Docs, it: &Type) -> anyhow::Result<Field> {
    Ok(Field { name: name.to_owned(), docs: text(docs), ty: ty(resolve, it)? })
}

fn ty(resolve: &Resolve, it: &Type) -> anyhow::Result<Ty> {
    Ok(match it {
        Type::Bool => Ty::Bool,
        Type::U8 => Ty::Whole(0, u8::MAX.into()),
        Type::U16 => Ty::Whole(0, u16::MAX.into()),
        Type::U32 => Ty::Whole(0, u32::MAX.into()),
        Type::U64 => Ty::Whole(0, u64::MAX),
        Type::S32 => Ty::Whole(i32::MIN.into(), i32::MAX.unsigned_abs().into()),
        Type::S64 => Ty::Whole(i64::MIN, i64::MAX.unsigned_abs()),
        Type::F64 => Ty::Float,
        Type::String => Ty::Text,
        Type::Id(id) => {
            let def = resolve.types.get(*id).context("a type")?;
            match def.name {
                Some(_) => Ty::Named(origin(resolve, *id)?),
                None => of_kind(resolve, &def.kind)?,
            }
        }
        other => bail!("wit/: {other:?} is not used by the contract"),
    })
}

fn of_kind(resolve: &Resolve, kind: &TypeDefKind) -> anyhow::Result<Ty> {
    Ok(match kind {
        TypeDefKind::List(Type::U8) => Ty::Bytes,
        TypeDefKind::List(element) => Ty::List(Box::new(ty(resolve, element)?)),
        TypeDefKind::Option(inner) => Ty::Option(Box::new(ty(resolve, inner)?)),
        TypeDefKind::Tuple(tuple) => match tuple.types.as_slice() {
            [a, b] => Ty::Pair(Box::new(ty(resolve, a)?), Box::new(ty(resolve, b)?)),
            _ => bail!("wit/: a tuple of the contract is a pair"),
        },
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => Ty::Named(origin(resolve, *id)?),
        other => bail!("wit/: {} is not used by the contract", other.as_str()),
    })
}

/// The type that a name of a `use` stands for; of all others their own.
fn origin(resolve: &Resolve, id: TypeId) -> anyhow::Result<Name> {
    let def = resolve.types.get(id).context("a type")?;
    match def.kind {
        TypeDefKind::Type(Type::Id(other))
            if resolve.types.get(other).is_some_and(|it| it.owner != def.owner && it.name.is_some()) =>
        {
            origin(resolve, other)
        }
        _ => named(resolve, id),
    }
}

fn named(resolve: &Resolve, id: TypeId) -> anyhow::Result<Name> {
    let def = resolve.types.get(id).context("a type")?;
    let TypeOwner::Interface(owner) = def.owner else { bail!("wit/: a type belongs to an interface") };
    let owner = resolve.interfaces.get(owner).and_then(|it| it.name.clone()).context("an interface has a name")?;
    Ok((owner, def.name.clone().context("a type has a name")?))
}

fn text(docs: &Docs) -> String {
    docs.contents.as_deref().unwrap_or_default().lines().map(str::trim).collect::<Vec<_>>().join("\n").trim().to_owned()
}
