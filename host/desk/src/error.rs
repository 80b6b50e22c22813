use serde::Deserialize;

/// What a technician asked for did not come about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The hub was not reached, or it was not the hub.
    #[error(transparent)]
    Line(#[from] bus::Trouble),
    /// The hub does not do it.
    #[error("the hub refuses it ({status}): {}", shown(title, wrong))]
    Refused {
        /// Of its answer.
        status: u16,
        /// In a few words.
        title: String,
        /// Everything that is wrong.
        wrong: Vec<Wrong>,
    },
    /// Nobody signed that a session may begin.
    #[error("no session was signed")]
    Signer(#[from] trust::SignError),
    /// What the hub answered is not what it should.
    #[error("the hub's answer cannot be read: {0}")]
    Garbled(String),
    /// What was to be handed over does not hold.
    #[error("it does not hold: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NotBelieved(Vec<trust::Refusal>),
    /// A statement could not be written.
    #[error(transparent)]
    Statement(#[from] trust::Refusal),
    /// The plugin does not travel.
    #[error("the plugin does not travel")]
    Parcel(#[from] fleet::BadParcel),
    /// A file of this technician's.
    #[error("{}", .0.display())]
    Io(std::path::PathBuf, #[source] std::io::Error),
    /// What is in such a file.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no way to such a hub.
    #[error(transparent)]
    Way(#[from] bus::dial::WayError),
}

/// One thing that is wrong, as the hub says it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Wrong {
    /// A word for it, where it has one.
    pub code: Option<String>,
    /// What.
    pub detail: String,
}

impl Error {
    /// Whether the hub does not know what is asked: it is of another version.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Refused { status: 405, .. })
    }

    /// Whether the hub says that there is no such thing.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

fn shown(title: &str, wrong: &[Wrong]) -> String {
    let told = wrong.iter().map(|it| match &it.code {
        Some(code) => format!("{} ({code})", it.detail),
        None => it.detail.clone(),
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { title.to_owned() } else { format!("{title}: {}", told.join("; ")) }
}
