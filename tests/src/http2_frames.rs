/// Follows the frames that a client of HTTP/2 sends, in whatever pieces they come.
pub(crate) struct Http2Frames {
    /// What is left of the preface or of the last frame.
    skip: usize,
    /// What has come of the head of the next frame.
    head: Vec<u8>,
}

const PREFACE: usize = 24;
/// Three bytes of length, the type, the flags, and four bytes that name the stream.
const HEAD: usize = 9;
/// The type of the frame that begins a request.
const HEADERS: u8 = 1;

impl Http2Frames {
    pub(crate) fn new() -> Self {
        Http2Frames { skip: PREFACE, head: Vec::new() }
    }

    /// How many requests begin in these further bytes.
    pub(crate) fn requests_in(&mut self, bytes: &[u8]) -> u64 {
        let mut requests = 0;
        for byte in bytes {
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            self.head.push(*byte);
            if self.head.len() == HEAD {
                requests += u64::from(self.head[3] == HEADERS);
                self.skip = u32::from_be_bytes([0, self.head[0], self.head[1], self.head[2]]) as usize;
                self.head.clear();
            }
        }
        requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_in_whatever_pieces_they_come() {
        let frame =
            |kind: u8, length: u8| [&[0, 0, length, kind, 0, 0, 0, 0, 1][..], &vec![HEADERS; length.into()]].concat();
        let settings = frame(4, 0);
        let sent = [vec![HEADERS; PREFACE], settings, frame(HEADERS, 20), frame(0, 200), frame(HEADERS, 3)].concat();
        for size in 1..=sent.len() {
            let mut frames = Http2Frames::new();
            let requests: u64 = sent.chunks(size).map(|piece| frames.requests_in(piece)).sum();
            assert_eq!(requests, 2, "in pieces of {size}");
        }
    }
}
