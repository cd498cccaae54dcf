//! What this host says of itself.

pub use cs_broker::host::{interfaces, name, operating_system};

/// Manufacturer and model, as the firmware says.
pub fn hardware() -> (String, String) {
    (firmware("sys_vendor"), firmware("product_name"))
}

/// Only root may read it.
pub fn hardware_uuid() -> String {
    firmware("product_uuid")
}

fn firmware(name: &str) -> String {
    let text = std::fs::read_to_string(format!("/sys/class/dmi/id/{name}")).unwrap_or_default();
    cs_telemetry::one_line(text.trim())
}
