//! Compiling: in a child with limits, because nobody has read the module yet, and into a cache that only this host can fill.
//! What is loaded was compiled here.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use artifact::Cache;
use model::Digest;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wasmtime::component::Component;

use crate::engine::{Engine, Options};
use crate::{Error, Refusal};

/// The most time that compiling may take. Python's 18 MB take 26 s on two cores.
pub(crate) const COMPILE_SECONDS_MAX: u64 = 120;
/// The most memory that the compiling child may write to.
pub(crate) const COMPILE_MEMORY_BYTES_MAX: u64 = 2 << 30;

static COMPILED: AtomicU64 = AtomicU64::new(0);
static MAPPED: AtomicU64 = AtomicU64::new(0);

/// What this process has done with components since it began. A plugin that was refused has added nothing to either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Touched {
    /// How many it compiled, or handed to its child to be compiled.
    pub compiled: u64,
    /// How many it mapped into its memory as code.
    pub mapped: u64,
}

/// What this process has done so far.
pub fn touched() -> Touched {
    Touched { compiled: COMPILED.load(Ordering::Relaxed), mapped: MAPPED.load(Ordering::Relaxed) }
}

/// Whoever hands a component to wasmtime says so here first.
pub(crate) fn note_compiled() {
    COMPILED.fetch_add(1, Ordering::Relaxed);
}

/// Who compiles.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// This process. For tests of other things: nothing bounds it.
    InProcess,
    /// This program, called with `compile-component`, in a child with limits.
    Child {
        /// The program.
        program: PathBuf,
        /// How long it may take.
        seconds_max: u64,
        /// How much memory it may write to.
        memory_bytes_max: u64,
    },
}

impl Compiler {
    /// A child of this program with the default limits.
    pub fn child(program: PathBuf) -> Self {
        Self::Child { program, seconds_max: COMPILE_SECONDS_MAX, memory_bytes_max: COMPILE_MEMORY_BYTES_MAX }
    }
}

/// The component of these bytes, out of the cache or compiled.
pub(crate) async fn component(
    engine: &Engine,
    digest: Digest,
    bytes: &[u8],
    cache: Option<&Cache>,
    compiler: &Compiler,
) -> Result<Component, Error> {
    let name = name(digest, engine);
    if let Some(code) = cache.and_then(|cache| cache.read(&name)) {
        return deserialize(engine, &code);
    }
    let code = code(engine, bytes, compiler).await?;
    if let Some(cache) = cache {
        cache.write(&name, &code)?;
    }
    deserialize(engine, &code)
}

/// By digest and by everything that an engine must be alike in.
fn name(digest: Digest, engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.wasmtime.precompile_compatibility_hash().hash(&mut hasher);
    format!("{}-{:016x}.cwasm", digest.hex(), hasher.finish())
}

/// A component of the host's own, compiled as any other is.
pub(crate) async fn bytes(engine: &Engine, bytes: &[u8], compiler: &Compiler) -> Result<Component, Error> {
    deserialize(engine, &code(engine, bytes, compiler).await?)
}

async fn code(engine: &Engine, bytes: &[u8], compiler: &Compiler) -> Result<Vec<u8>, Error> {
    note_compiled();
    match compiler {
        Compiler::InProcess => engine.wasmtime.precompile_component(bytes).map_err(refused),
        Compiler::Child { program, seconds_max, memory_bytes_max } => {
            let time_max = Duration::from_secs(*seconds_max);
            in_child(program, engine.options, bytes, time_max, *memory_bytes_max).await
        }
    }
}

fn refused(error: wasmtime::Error) -> Error {
    Error::Refused(vec![Refusal::NotCompiled { reason: format!("{error:#}") }])
}

fn deserialize(engine: &Engine, code: &[u8]) -> Result<Component, Error> {
    MAPPED.fetch_add(1, Ordering::Relaxed);
    #[expect(unsafe_code, reason = "the code was compiled by this host: just now, or under the cache's seal")]
    // SAFETY: `code` is what `precompile_component` of this version gave, in this process, in the child that this process
    // started, or in an earlier one whose seal over these very bytes was just checked.
    let component = unsafe { Component::deserialize(&engine.wasmtime, code) };
    // It is sound, so what stands against it is its size: more memories or instances than the pool gives a component.
    component.map_err(refused)
}

#[expect(clippy::disallowed_methods, reason = "the one process that the runtime starts is this program again")]
async fn in_child(
    program: &Path,
    options: Options,
    bytes: &[u8],
    time_max: Duration,
    memory_bytes_max: u64,
) -> Result<Vec<u8>, Error> {
    let error = |source| Error::Compiler { path: program.to_owned(), source };
    let mut child = tokio::process::Command::new(program)
        .arg("compile-component")
        .args(["--stack-bytes", &options.stack_bytes.to_string()])
        .args(["--memory-bytes-max", &memory_bytes_max.to_string()])
        .args(["--seconds-max", &time_max.as_secs().to_string()])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(error)?;
    let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(error(ErrorKind::BrokenPipe.into()));
    };
    let (mut code, mut said) = (Vec::new(), Vec::new());
    let feed = async {
        // A child that dies early says why on its standard error; that its input broke is no news then.
        let _ = stdin.write_all(bytes).await;
        drop(stdin);
        Ok::<_, std::io::Error>(())
    };
    let work = async {
        tokio::try_join!(feed, stdout.read_to_end(&mut code), stderr.read_to_end(&mut said))?;
        child.wait().await
    };
    let reason = match tokio::time::timeout(time_max, work).await {
        Ok(Ok(status)) if status.success() => return Ok(code),
        Ok(Ok(status)) => {
            let said = String::from_utf8_lossy(&said).trim().to_owned();
            match () {
                () if ran_out_of_memory(&said) => {
                    format!("compiling took more than {} MiB of memory", memory_bytes_max >> 20)
                }
                () if said.is_empty() => format!("the compiling child ended with {status}"),
                () => said,
            }
        }
        Ok(Err(source)) => return Err(error(source)),
        Err(_) => format!("compiling took more than {} s", time_max.as_secs()),
    };
    Err(Error::Refused(vec![Refusal::NotCompiled { reason }]))
}

/// What a child says that is given no more memory: Rust's own words, or the system's for a thread or a mapping.
fn ran_out_of_memory(said: &str) -> bool {
    ["memory allocation of ", "Cannot allocate memory", "Resource temporarily unavailable"]
        .iter()
        .any(|words| said.contains(words))
}

/// The child's part: compiles what comes on standard input to standard output, within limits that it cannot raise again.
pub fn compile_child(stack_bytes: usize, memory_bytes_max: u64, seconds_max: u64) -> Result<(), Error> {
    let io = |source| Error::Compiler { path: PathBuf::from("compile-component"), source };
    limit_this_process(memory_bytes_max, seconds_max).map_err(io)?;
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(u64::try_from(artifact::COMPONENT_BYTES_MAX).unwrap_or(u64::MAX))
        .read_to_end(&mut bytes)
        .map_err(io)?;
    let engine = Engine::for_compiling(Options { pooled: false, stack_bytes })?;
    let code = engine.precompile_component(&bytes).map_err(refused)?;
    std::io::stdout().write_all(&code).map_err(io)
}

#[cfg(unix)]
fn limit_this_process(memory_bytes_max: u64, seconds_max: u64) -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let both = |most| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::Data, both(memory_bytes_max))?;
    // Two cores compile at once: their time adds up.
    setrlimit(Resource::Cpu, both(seconds_max.saturating_mul(4)))?;
    setrlimit(Resource::Core, both(0))?;
    Ok(())
}

/// Elsewhere only the parent's clock bounds it.
#[cfg(not(unix))]
fn limit_this_process(_: u64, _: u64) -> std::io::Result<()> {
    Ok(())
}
