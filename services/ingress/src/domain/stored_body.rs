//! The body of a delivery as it is stored: LZ4, with the raw length in front.

/// Bounds a stored raw length. No webhook is as large: a length above this is damaged.
const MAX_RAW_BYTES: usize = 32 * 1024 * 1024;

/// Compresses a raw body.
pub(crate) fn compress(body: &[u8]) -> Vec<u8> {
    lz4_flex::compress_prepend_size(body)
}

/// Returns the raw body, or what is wrong with the stored one.
pub(crate) fn decompress(payload: &[u8]) -> Result<Vec<u8>, String> {
    let plausible = payload
        .first_chunk::<4>()
        .is_some_and(|l| u32::from_le_bytes(*l) as usize <= MAX_RAW_BYTES);
    if !plausible {
        return Err("its stored length is wrong".to_owned());
    }
    lz4_flex::decompress_size_prepended(payload).map_err(|error| error.to_string())
}
