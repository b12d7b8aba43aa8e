//! spandsp's detector, loaded at run time.

use std::ffi::{c_char, c_int, c_void};

use libloading::{Library, Symbol};

type Callback = Option<unsafe extern "C" fn(*mut c_void, *const c_char, c_int)>;
type Init = unsafe extern "C" fn(*mut c_void, Callback, *mut c_void) -> *mut c_void;
type Rx = unsafe extern "C" fn(*mut c_void, *const i16, c_int) -> c_int;
type Get = unsafe extern "C" fn(*mut c_void, *mut c_char, c_int) -> usize;
type Free = unsafe extern "C" fn(*mut c_void) -> c_int;

/// The library's detector, with the settings that it comes with.
pub(crate) struct Spandsp(Library);

impl Spandsp {
    /// Loads `libspandsp.so.2`.
    ///
    /// # Errors
    /// It is not installed; the text says what to do.
    pub(crate) fn load() -> Result<Spandsp, String> {
        // SAFETY: the library's initialisers do nothing but set up tables.
        let library = unsafe { Library::new("libspandsp.so.2") };
        library.map(Spandsp).map_err(|e| format!("spandsp is left out: {e}; Debian has it as libspandsp2"))
    }

    /// The keys heard in samples of 8 kHz.
    pub(crate) fn heard(&self, samples: &[i16]) -> String {
        // SAFETY: the signatures are those of spandsp 0.0.6's dtmf.h; a null state is allocated by `init`,
        // used here only and freed; without a callback the keys are kept for `get`.
        unsafe {
            let init: Symbol<'_, Init> = self.0.get(b"dtmf_rx_init\0").expect("spandsp has it");
            let rx: Symbol<'_, Rx> = self.0.get(b"dtmf_rx\0").expect("spandsp has it");
            let get: Symbol<'_, Get> = self.0.get(b"dtmf_rx_get\0").expect("spandsp has it");
            let free: Symbol<'_, Free> = self.0.get(b"dtmf_rx_free\0").expect("spandsp has it");
            let state = init(std::ptr::null_mut(), None, std::ptr::null_mut());
            assert!(!state.is_null(), "spandsp has no memory");
            let mut keys = Vec::new();
            for packet in samples.chunks(160) {
                rx(state, packet.as_ptr(), packet.len() as c_int);
                let mut found = [0u8; 129];
                let count = get(state, found.as_mut_ptr().cast(), 128);
                keys.extend_from_slice(&found[..count]);
            }
            free(state);
            String::from_utf8_lossy(&keys).into_owned()
        }
    }
}
