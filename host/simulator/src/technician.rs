//! A technician of [`msp`], at their own machine: what they ask of a hub goes the way that `remit fleet` goes.

use std::sync::Arc;

use bus::dial::Way;
use desk::{Client, NewToken, Parcelled};
use fleet::Device;
use model::{Clock as _, Digest, SystemClock};
use trust::statement::Order;
use trust::{Time, Token, Trust};
use url::Url;

use crate::msp::{self, Msp, Shipped};

/// The one that is called so, at this hub.
pub fn client(hub: &Url, authority: Digest, holder: &str) -> anyhow::Result<Client> {
    let way = Way::new(hub, &[authority], None)?;
    Ok(Client::new(way, msp::signer(holder), Arc::new(SystemClock), Box::new(|_| ()))?)
}

/// What they believe by themselves, before they asked anybody.
pub fn trust(msp: &Msp) -> anyhow::Result<Trust> {
    let refused = |_| anyhow::anyhow!("the root or the roster does not hold");
    let mut trust = Trust::pinned(msp.pin(), &msp.root).map_err(refused)?;
    trust.take(&msp.roster(1, msp.now.plus_days(200)), msp.now).map_err(refused)?;
    Ok(trust)
}

/// Makes a token that this many devices of `acme` join with, and the standing rule that lets them in, which `tess` signs.
pub async fn token(tess: &Client, msp: &Msp, uses: u32) -> anyhow::Result<Token> {
    let token = Token::new(msp.pin(), tess.authority(), &desk::seed());
    let (client, site, tags) = (msp::name("acme"), msp::name("hq"), vec![msp::name("managed")]);
    let new = NewToken { key: token.key(), client, site, tags, uses, hours: 24, needs_accept: false };
    let now_ms = SystemClock.now_ms();
    let admission = msp::signed(Time::from_ms(now_ms), &new.admission(now_ms), &["tess"]);
    tess.make_token(&new, Some(&admission)).await?;
    Ok(token)
}

/// Signs an order without rings, at the time at which it begins, and has it go on its way to these devices: what it is called.
pub async fn send(
    tess: &Client,
    trust: &Trust,
    (order, plugin): (&Order, &Shipped),
    devices: &[Device],
) -> anyhow::Result<Digest> {
    let signed = msp::signed(order.from, order, &["tess"]);
    let (attachments, rings) = (vec![plugin.statement.clone()], vec![devices.to_vec()]);
    let parcelled = Parcelled { signed, rings, plugin: plugin.label.bytes(), attachments };
    Ok(tess.submit(&parcelled, trust).await?.digest())
}
