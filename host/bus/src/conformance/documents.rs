use bytes::Bytes;
use model::Digest;

use super::{Held, World, put, replacement, same, so, told};
use crate::{DOCUMENT_BYTES_MAX, DOCUMENTS_MAX, Exchange, Fault, Found, Replacement, courier};

async fn keep(exchange: &dyn Exchange, bytes: impl Into<Bytes>) -> Result<Digest, String> {
    exchange.put_document(bytes.into()).await.map_err(told)
}

pub(super) async fn fetched(world: &dyn World) -> Held {
    let (exchange, (device, line)) = (world.exchange(), world.line(1).await);
    let mut names = Vec::new();
    for at in 0..DOCUMENTS_MAX {
        names.push(keep(&*exchange, format!("document {at}\n")).await?);
    }
    same!(names.first(), Some(&Digest::of(b"document 0\n")), "the digest of a document");
    same!(keep(&*exchange, "document 0\n").await?, Digest::of(b"document 0\n"), "kept again");
    put(&*exchange, Replacement { names: names.clone(), ..replacement(device, None, "x") }).await?;
    let found = line.documents(&names).await.map_err(told)?;
    let digests: Vec<Digest> = found.documents.iter().map(|it| Digest::of(it)).collect();
    same!(digests, names, "what was found");
    let nobodys = Digest::of(b"nobody kept this");
    let found = line.documents(&[nobodys]).await.map_err(told)?;
    same!(found, Found { documents: Vec::new(), missing: vec![nobodys] }, "what is not there");
    let too_large = exchange.put_document(vec![b'x'; DOCUMENT_BYTES_MAX + 1].into()).await;
    so!(matches!(too_large, Err(Fault::TooMuch(_))), "one that is too large was kept");
    Ok(())
}

pub(super) async fn named(world: &dyn World) -> Held {
    let exchange = world.exchange();
    let ((device, line), (other, neighbour)) = (world.line(1).await, world.line(2).await);
    let (own, foreign) = (keep(&*exchange, "own").await?, keep(&*exchange, "foreign").await?);
    let before = line.documents(&[own]).await.map_err(told)?;
    same!(before.missing, [own], "before a mailbox names it");
    put(&*exchange, Replacement { names: vec![own], ..replacement(device, None, "x") }).await?;
    put(&*exchange, Replacement { names: vec![foreign], ..replacement(other, None, "x") }).await?;
    let found = line.documents(&[own, foreign]).await.map_err(told)?;
    same!(found, Found { documents: vec!["own".into()], missing: vec![foreign] }, "what a device reads");
    let found = neighbour.documents(&[own, foreign]).await.map_err(told)?;
    same!(found, Found { documents: vec!["foreign".into()], missing: vec![own] }, "what its neighbour reads");
    put(&*exchange, replacement(device, None, "y")).await?;
    let after = line.documents(&[own]).await.map_err(told)?;
    same!(after.missing, [own], "when its mailbox names it no more");
    Ok(())
}

pub(super) async fn fitting(world: &dyn World) -> Held {
    let (exchange, (device, line)) = (world.exchange(), world.line(1).await);
    let mut names = Vec::new();
    for at in 0..4 {
        names.push(keep(&*exchange, vec![at; DOCUMENT_BYTES_MAX]).await?);
    }
    put(&*exchange, Replacement { names: names.clone(), ..replacement(device, None, "x") }).await?;
    let found = line.documents(&names).await.map_err(told)?;
    same!(found.missing, [], "what is said to be missing");
    let fetched = courier::fetch(&*line, &names).await.map_err(told)?;
    same!(fetched.len(), names.len(), "how many come when asked for until all are there");
    let too_many = exchange.documents(&device, &vec![Digest::of(b"x"); DOCUMENTS_MAX + 1]).await;
    so!(matches!(too_many, Err(Fault::TooMuch(_))), "too many were asked for at once");
    Ok(())
}
