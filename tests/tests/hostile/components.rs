//! Guests that Rust cannot say: core modules as text, made into components of the contract.

use std::path::Path;

use wasm_encoder::{
    BlockType, CodeSection, ComponentSection, Function, FunctionSection, InstanceSection, Instruction, Module,
    ModuleArg, RawSection, TypeSection, ValType,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Recursion that ends, 50,000 calls deep: about 2.5 MB of stack.
const DEEP: usize = 50_000;

/// The guest of this name.
pub(crate) fn component(name: &str) -> Vec<u8> {
    match name {
        "deep-recursion" => of_module(
            &format!("(drop (call $deep (i32.const {DEEP})))"),
            "(func $deep (param i32) (result i32)
               (if (result i32) (i32.eqz (local.get 0))
                 (then (i32.const 0))
                 (else (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))))",
        ),
        "start-loops" => of_module(
            "",
            "(func $start (local i32)
               (loop $again
                 (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                 (br_if $again (i32.lt_u (local.get 0) (i32.const 1000000000)))))
             (start $start)",
        ),
        // Ten MiB each: only together they are more than the default.
        "ten-memories" => with_instances(of_module("", ""), "(module (memory 160))", 10),
        "huge-table" => of_module("", "(table 30000 funcref)"),
        // No more than 8,000 elements each.
        "ten-tables" => with_instances(of_module("", ""), "(module (table 8000 funcref))", 10),
        "many-instances" => with_instances(of_module("", ""), "(module)", 40),
        "unreachable" => of_module("unreachable", ""),
        "out-of-bounds" => of_module("(drop (i32.load (i32.const -4)))", ""),
        "divides-by-zero" => of_module("(drop (i32.div_u (i32.const 1) (i32.const 0)))", ""),
        // A report whose summary lies outside of memory.
        "bad-answer" => {
            of_module("(i32.store (i32.const 8) (i32.const -16)) (i32.store (i32.const 12) (i32.const 64))", "")
        }
        "huge-module" => huge(120, 700),
        other => panic!("there is no component `{other}`"),
    }
}

/// A component with so many more core modules of this content, each instantiated.
pub(crate) fn has(part: &str, count: u32) -> Vec<u8> {
    with_instances(of_module("", ""), &format!("(module {part})"), count)
}

/// A component whose memory grows to so many pages, and which takes it ill where it may not.
pub(crate) fn grows(pages: u32) -> Vec<u8> {
    let more = pages - 1;
    of_module(&format!("(if (i32.eq (memory.grow (i32.const {more})) (i32.const -1)) (then unreachable))"), "")
}

/// A component that reports a finding whose fingerprint has so many bytes: the SDK would shorten it.
pub(crate) fn finds(bytes: u32) -> Vec<u8> {
    let store = |at: u32, value: u32| format!("(i32.store (i32.const {at}) (i32.const {value}))");
    // The list of findings in the report, and the one finding, which begins with its fingerprint.
    let report = [store(16, 8192), store(20, 1), store(8192, 16384), store(8196, bytes)].concat();
    of_module(&report, "")
}

/// A component that does `body` before it says what its parameters are: anything.
pub(crate) fn says_its_schema(body: &str) -> Vec<u8> {
    of_functions(
        &format!("{body} (i32.store (i32.const 1024) (i32.const 2048)) (i32.store (i32.const 1028) (i32.const 2))"),
        "",
        r#"(data (i32.const 2048) "{}")"#,
    )
}

/// A component that exports `detect`: it does `body`, and finds everything in order, because memory is all zeros.
fn of_module(body: &str, more: &str) -> Vec<u8> {
    of_functions("", body, more)
}

fn of_functions(schema: &str, body: &str, more: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
          (memory (export "memory") 1)
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
          (func (export "msp:automation/parameters@1.0.0#get-schema") (result i32) {schema} (i32.const 1024))
          (func (export "msp:automation/detection@1.0.0#detect") (result i32) {body} (i32.const 0))
          {more})"#
    );
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("detect")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// The component, with one more core module that is instantiated so often.
fn with_instances(component: Vec<u8>, module: &str, count: u32) -> Vec<u8> {
    let index = core_modules(&component);
    let mut component = with_module(component, &wat::parse_str(module).unwrap());
    let mut instances = InstanceSection::new();
    for _ in 0..count {
        instances.instantiate(index, std::iter::empty::<(&str, ModuleArg)>());
    }
    instances.append_to_component(&mut component);
    component
}

fn with_module(mut component: Vec<u8>, module: &[u8]) -> Vec<u8> {
    // A core module is section 1 of a component.
    RawSection { id: 1, data: module }.append_to_component(&mut component);
    component
}

fn core_modules(component: &[u8]) -> u32 {
    let starts = component.windows(8).filter(|bytes| bytes == b"\0asm\x01\0\0\0").count();
    u32::try_from(starts).unwrap()
}

/// What keeps a compiler busy: so many functions of so many blocks, through which many values live.
pub(crate) fn huge(functions: u32, blocks: u32) -> Vec<u8> {
    with_module(of_module("", ""), &huge_module(functions, blocks))
}

fn huge_module(functions_count: u32, blocks: u32) -> Vec<u8> {
    const LOCALS: u32 = 24;
    let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([ValType::I64], [ValType::I64]);
    for _ in 0..functions_count {
        functions.function(0);
        let mut function = Function::new([(LOCALS, ValType::I64)]);
        for block in 0..blocks {
            let (to, from, other) = (1 + block % LOCALS, 1 + (block * 7 + 3) % LOCALS, 1 + (block * 5 + 1) % LOCALS);
            function
                .instructions()
                .local_get(0)
                .i64_const(i64::from(block))
                .i64_gt_u()
                .if_(BlockType::Empty)
                .local_get(from)
                .local_get(other)
                .i64_mul()
                .local_get(0)
                .i64_add()
                .local_set(to)
                .end();
        }
        for local in 1..=LOCALS {
            function.instruction(&Instruction::LocalGet(local));
        }
        for _ in 1..LOCALS {
            function.instruction(&Instruction::I64Xor);
        }
        function.instruction(&Instruction::End);
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    module.finish()
}
