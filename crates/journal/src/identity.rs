//! The gateway's id: made once, kept beside the journal, because sequence numbers belong to it.

use std::{fs, io, path::Path};

/// Reads the id kept in `dir`, or makes one.
pub fn gateway_id(dir: &Path) -> io::Result<String> {
    let path = dir.join("gateway");
    match fs::read_to_string(&path) {
        Ok(id) if id.trim().starts_with("gw_") => return Ok(id.trim().to_owned()),
        Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "the gateway file of the journal folder holds no gateway id")),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    fs::create_dir_all(dir)?;
    let id = format!("gw_{}", ulid::Ulid::new().to_string().to_lowercase());
    let temporary = dir.join("gateway.new");
    fs::write(&temporary, &id)?;
    fs::File::open(&temporary)?.sync_all()?;
    fs::rename(&temporary, &path)?;
    Ok(id)
}
