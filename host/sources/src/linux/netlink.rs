//! Netlink, as sources ask it: the kernel answers at once, so nobody waits.

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable,
};
use netlink_sys::{Socket, SocketAddr};

/// The kernel sends at most so much at once to whoever has room for it.
const RECEIVE_BYTES: usize = 64 << 10;

/// Hands over everything of one kind.
pub(super) fn dump<T>(socket: &Socket, request: T, mut each: impl FnMut(T)) -> std::io::Result<()>
where
    T: NetlinkSerializable + NetlinkDeserializable,
{
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut packet = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
    let mut buffer = vec![0; RECEIVE_BYTES];
    loop {
        let length = socket.recv(&mut buffer.as_mut_slice(), 0)?;
        for payload in messages(buffer.get(..length).unwrap_or_default()) {
            match payload {
                NetlinkPayload::InnerMessage(message) => each(message),
                NetlinkPayload::Done(_) => return Ok(()),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                _ => {}
            }
        }
    }
}

/// Hands over what the kernel has told a group since it was last asked. Says whether some of it was lost.
pub(super) fn told<T: NetlinkDeserializable>(socket: &Socket, mut each: impl FnMut(T)) -> std::io::Result<bool> {
    let mut buffer = vec![0; RECEIVE_BYTES];
    let mut is_lost = false;
    loop {
        match socket.recv(&mut buffer.as_mut_slice(), 0) {
            Ok(length) => messages(buffer.get(..length).unwrap_or_default()).for_each(|payload| {
                if let NetlinkPayload::InnerMessage(message) = payload {
                    each(message);
                }
            }),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) => is_lost = true,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(is_lost),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The messages of what was received. One that is not understood is left out: a newer kernel says more than we know.
fn messages<T: NetlinkDeserializable>(mut bytes: &[u8]) -> impl Iterator<Item = NetlinkPayload<T>> {
    const ALIGNED: usize = 4;
    std::iter::from_fn(move || {
        let length: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
        let length = usize::try_from(u32::from_ne_bytes(length)).ok()?;
        let message = bytes.get(..length).filter(|it| !it.is_empty())?;
        bytes = bytes.get(length.next_multiple_of(ALIGNED)..).unwrap_or_default();
        Some(NetlinkMessage::deserialize(message).map(|it| it.payload))
    })
    .flatten()
}
