//! What a program would do by hand with the same bytes and the same codec: the least that a call can cost.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::adder::{Add, Sum};

/// Answers calls until the stream ends: reads what there is, answers every whole frame into one buffer, writes once.
///
/// # Errors
///
/// The transport's; [`InvalidData`](io::ErrorKind::InvalidData) for what is no call.
pub async fn serve(mut io: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut out = Vec::new();
    let mut filled = 0;
    loop {
        let read = io.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let used = handle(&buffer[..filled], &mut out).ok_or(io::ErrorKind::InvalidData)?;
        buffer.copy_within(used..filled, 0);
        filled -= used;
        io.write_all(&out).await?;
        out.clear();
    }
}

/// Answers the whole frames; how many bytes they were.
fn handle(bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let mut rest = bytes;
    while let Some((len, behind)) = rest.split_first_chunk::<4>()
        && let Some((frame, behind)) = behind.split_at_checked(u32::from_le_bytes(*len) as usize)
    {
        // Anything else is the time of the batch.
        if let [CALL, a, b, c, d, _, _, _, _, _, _, payload @ ..] = frame {
            let p: Add<'_> = postcard::from_bytes(payload).ok()?;
            let start = out.len();
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(&[REPLY, *a, *b, *c, *d]);
            let sum = Sum::of(p.a, p.b, &p.note);
            *out = postcard::to_extend(&sum, std::mem::take(out)).ok()?;
            let len = u32::try_from(out.len() - start - 4).ok()?;
            out.get_mut(start..start + 4)?.copy_from_slice(&len.to_le_bytes());
        }
        rest = behind;
    }
    Some(bytes.len() - rest.len())
}

/// Kinds of frames (`docs/wire.md` §4).
const CALL: u8 = 0x12;
const REPLY: u8 = 0x13;
