use std::sync::OnceLock;

use crate::statement::{self, STATEMENT_BYTES_MAX, Statement};
use crate::{Key, Kind, Read, Refusal, Signer, signature, signer};

/// The most bytes of a statement and its signatures in one file.
pub const SIGNED_BYTES_MAX: usize = STATEMENT_BYTES_MAX + signature::SIGNATURES_MAX * signature::SIGNATURE_BYTES_MAX;

/// A statement's very bytes, and the signatures over them. Nothing is known of either yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    statement: Vec<u8>,
    signatures: Vec<String>,
    /// Who signed it, as this host found out when it first read it: a document of this kind.
    known: Option<(Kind, Vec<Key>)>,
}

impl Signed {
    /// What was received: the statement, and each signature as it was attached.
    pub fn new(statement: Vec<u8>, signatures: Vec<String>) -> Self {
        Self { statement, signatures, known: None }
    }

    /// From a statement and the text of its `.sig`, with one signature or several.
    pub fn detached(statement: Vec<u8>, signatures: &str) -> Result<Self, Refusal> {
        Ok(Self::new(statement, signature::split(signatures)?))
    }

    /// Both in one file: a statement is one line, and what follows are its signatures.
    pub fn from_text(text: &[u8]) -> Result<Self, Refusal> {
        if text.len() > SIGNED_BYTES_MAX {
            return Err(Refusal::TooLarge { bytes: text.len(), most: SIGNED_BYTES_MAX });
        }
        let at = text.iter().position(|&byte| byte == b'\n').unwrap_or(text.len());
        let (statement, rest) = text.split_at(at);
        let rest = std::str::from_utf8(rest);
        let rest = rest.map_err(|_| Refusal::NotASignature { problem: "it is no text".to_owned() })?;
        Self::detached(statement.to_vec(), rest)
    }

    /// As one file.
    pub fn to_text(&self) -> Vec<u8> {
        let mut text = self.statement.clone();
        text.push(b'\n');
        text.extend(self.signatures.concat().bytes());
        text
    }

    /// The bytes that are signed.
    pub fn statement(&self) -> &[u8] {
        &self.statement
    }

    /// As they were attached.
    pub fn signatures(&self) -> &[String] {
        &self.signatures
    }

    /// Which kind it says to be.
    pub fn kind(&self) -> Result<Kind, Refusal> {
        statement::kind_of(&self.statement)
    }

    /// Signs it, beside whoever did already. What could not be read as what it says to be is signed by nobody.
    pub fn sign(&mut self, signer: &mut Signer) -> Result<(), signer::Error> {
        let kind = self.kind()?;
        self.signatures.push(signer.sign(kind, &self.statement)?);
        self.known = None;
        Ok(())
    }

    /// These keys signed it, and all of its signatures hold: that was looked at before.
    pub(crate) fn know(&mut self, kind: Kind, keys: Vec<Key>) {
        self.known = Some((kind, keys));
    }

    /// With its signatures looked at, so that nobody has to again. One that does not hold is looked at, and told, each time.
    #[must_use]
    pub fn looked_at(mut self) -> Self {
        if let Ok(kind) = self.kind() {
            let signers = self.signers(kind);
            if signers.refused.is_empty() {
                self.know(kind, signers.keys);
            }
        }
        self
    }

    /// The keys that really signed, each once, and what is wrong with the other signatures. It says nothing of who they are.
    pub fn signers(&self, kind: Kind) -> Signers {
        if let Some((_, keys)) = self.known.as_ref().filter(|(of, _)| *of == kind) {
            return Signers { keys: keys.clone(), refused: Vec::new() };
        }
        let mut signers = Signers { keys: Vec::new(), refused: Vec::new() };
        if self.signatures.len() > signature::SIGNATURES_MAX {
            let (found, most) = (self.signatures.len(), signature::SIGNATURES_MAX);
            signers.refused.push(Refusal::TooManySignatures { found, most });
            return signers;
        }
        for text in &self.signatures {
            match signature::verify(kind, &self.statement, text) {
                Ok(key) if signers.keys.contains(&key) => {}
                Ok(key) => signers.keys.push(key),
                Err(refusal) => signers.refused.push(refusal),
            }
        }
        if self.signatures.is_empty() {
            signers.refused.push(Refusal::NoSignature);
        }
        signers
    }
}

/// Who signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Signers {
    /// The keys of signatures that hold.
    pub keys: Vec<Key>,
    /// What is wrong with the others.
    pub refused: Vec<Refusal>,
}

/// A statement that was read. Its signatures are looked at when somebody asks: of a hundred approvals a run needs one.
#[derive(Clone, Debug)]
pub(crate) struct Document<T> {
    pub(crate) read: Read<T>,
    signed: Signed,
    signers: OnceLock<Signers>,
}

impl<T: Statement> Document<T> {
    pub(crate) fn open(signed: &Signed) -> Result<Self, Refusal> {
        let read = match &signed.known {
            Some((kind, _)) if *kind == T::KIND => statement::read_again(&signed.statement)?,
            _ => statement::read(&signed.statement)?,
        };
        Ok(Self { read, signed: signed.clone(), signers: OnceLock::new() })
    }

    pub(crate) fn signed(&self) -> &Signed {
        &self.signed
    }

    pub(crate) fn signers(&self) -> &Signers {
        self.signers.get_or_init(|| self.signed.signers(T::KIND))
    }
}
