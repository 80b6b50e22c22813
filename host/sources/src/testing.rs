//! A source under test, on the real machine: what it tells, and what it does not.

use std::sync::Arc;
use std::time::Duration;

use agent::{Notice, Watch};
use model::{Clock as _, SystemClock};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::kept::Kept;
use crate::{Asked, Error, Noticed, Sink, Surroundings};

/// The order whose source it is.
const ORDER: &str = "test";
/// How long a notice may take on a machine that is busy.
const NOTICE_MAX: Duration = Duration::from_secs(40);
/// How long nothing is told before it counts as nothing: longer than any source gathers.
const SILENCE: Duration = Duration::from_millis(2_500);

/// One source, which is stopped and started as an agent would.
pub(crate) struct Bench {
    kept: TempDir,
    told: mpsc::Receiver<Noticed>,
    sink: Sink,
    stop: CancellationToken,
    running: Option<tokio::task::JoinHandle<Result<(), Error>>>,
}

impl Bench {
    /// With room for some notices.
    pub(crate) fn new() -> Self {
        Self::with_room(16)
    }

    /// With room for so many notices.
    pub(crate) fn with_room(notices: usize) -> Self {
        let (to, told) = mpsc::channel(notices);
        let kept = tempfile::tempdir().unwrap();
        Self { kept, told, sink: Sink::new(ORDER, to), stop: CancellationToken::new(), running: None }
    }

    pub(crate) fn kept(&self, watch: &Watch) -> Kept {
        Kept::new(self.kept.path(), ORDER, watch)
    }

    pub(crate) fn around(&self) -> Surroundings {
        Surroundings::new(Arc::new(SystemClock), self.kept.path().to_owned(), Asked::nothing())
    }

    pub(crate) fn now_ms(&self) -> i64 {
        i64::try_from(SystemClock.now_ms()).unwrap()
    }

    /// Starts it.
    pub(crate) fn start(&mut self, watch: Watch) {
        let running = crate::watch(watch, self.around(), self.sink.clone(), self.stop.clone());
        self.running = Some(tokio::spawn(running));
    }

    /// Starts a source that looks at something of the test's own.
    pub(crate) fn start_as<F, T>(&mut self, watch: &Watch, source: F)
    where
        F: FnOnce(Surroundings, Sink, Kept) -> T,
        T: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let kept = self.kept(watch);
        let source = source(self.around(), self.sink.clone(), kept.clone());
        self.running = Some(tokio::spawn(crate::until(self.stop.clone(), source, kept)));
    }

    /// Stops it, as the agent ends.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            running.await.unwrap().unwrap();
        }
        self.stop = CancellationToken::new();
    }

    pub(crate) async fn restart(&mut self, watch: Watch) {
        self.stop().await;
        self.start(watch);
    }

    /// What it tells next.
    pub(crate) async fn next(&mut self) -> Notice {
        match tokio::time::timeout(NOTICE_MAX, self.told.recv()).await {
            Ok(Some(told)) => {
                assert_eq!(told.order, ORDER);
                assert!(serde_json::to_vec(&told.notice.data).unwrap().len() <= 64 << 10);
                told.notice
            }
            Ok(None) => unreachable!("the bench holds a sink itself"),
            Err(_) => self.fail("nothing was told").await,
        }
    }

    /// It tells nothing.
    pub(crate) async fn silence(&mut self) {
        if let Ok(told) = tokio::time::timeout(SILENCE, self.told.recv()).await {
            panic!("nobody asked for {told:?}");
        }
    }

    /// It tells nothing though it has looked: some sources look every five seconds.
    pub(crate) async fn silence_of_polls(&mut self) {
        for _ in 0..3 {
            self.silence().await;
        }
    }

    /// What it tells until it is silent.
    pub(crate) async fn until_silence(&mut self) -> Vec<Notice> {
        let mut all = vec![self.next().await];
        while let Ok(Some(told)) = tokio::time::timeout(SILENCE, self.told.recv()).await {
            all.push(told.notice);
        }
        all
    }

    /// Says what became of the source, too.
    async fn fail(&mut self, what: &str) -> ! {
        match self.running.take() {
            Some(running) if running.is_finished() => panic!("{what}: {:?}", running.await),
            _ => panic!("{what}, and the source goes on"),
        }
    }

    /// Waits until it has begun to watch: what it keeps is written then.
    pub(crate) async fn until_kept(&mut self, watch: &Watch) {
        for _ in 0..400 {
            if self.kept(watch).load::<serde_json::Value>().is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.fail("it keeps nothing").await;
    }
}
