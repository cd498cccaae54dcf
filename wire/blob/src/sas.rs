//! The texts that an account's key signs in shared access signatures (blob.md 4.3): which fields, by the version the
//! signature names. Who hands signatures out and who checks them sign the same text.

/// Headers of the answer that a signature may set.
pub const OVERRIDES: [&str; 5] = ["rscc", "rscd", "rsce", "rscl", "rsct"];
/// From this version on the text names the encryption scope.
const SCOPE_SINCE: &str = "2020-12-06";

/// What a signature of the account signs; `field` answers the fields of its query, empty where they are absent.
pub fn account_text<'q>(account: &str, field: impl Fn(&str) -> &'q str) -> String {
    let mut fields = vec![account];
    fields.extend(["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"].map(&field));
    if field("sv") >= SCOPE_SINCE {
        fields.push(field("ses"));
    }
    fields.push("");
    fields.join("\n")
}

/// What a signature of a container or blob signs; `resource` is `/blob/account/container[/blob]`.
pub fn service_text<'q>(resource: &str, field: impl Fn(&str) -> &'q str) -> String {
    let mut fields = ["sp", "st", "se"].map(&field).to_vec();
    fields.push(resource);
    fields.extend(["si", "sip", "spr", "sv"].map(&field));
    if field("sv") >= "2018-11-09" {
        fields.extend([field("sr"), time(&field)]);
    }
    if field("sv") >= SCOPE_SINCE {
        fields.push(field("ses"));
    }
    fields.extend(OVERRIDES.map(&field));
    fields.join("\n")
}

/// The snapshot or version the signature is of.
pub fn time<'q>(field: impl Fn(&str) -> &'q str) -> &'q str {
    match field("sr") {
        "bs" => field("snapshot"),
        "bv" => field("versionid"),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> &'static str {
        |name| fields.iter().find(|(n, _)| *n == name).map_or("", |(_, value)| value)
    }

    #[test]
    fn the_text_follows_the_version() {
        let old = of(&[("sv", "2015-04-05"), ("sp", "r"), ("ss", "b"), ("srt", "o"), ("se", "E")]);
        assert_eq!(account_text("acct", old), "acct\nr\nb\no\n\nE\n\n\n2015-04-05\n");
        let new = of(&[("sv", "2021-12-02"), ("sp", "r"), ("ss", "b"), ("srt", "o"), ("se", "E")]);
        assert_eq!(account_text("acct", new), "acct\nr\nb\no\n\nE\n\n\n2021-12-02\n\n");
        let old = of(&[("sv", "2015-04-05"), ("sr", "c"), ("sp", "r"), ("se", "E"), ("rscd", "d")]);
        assert_eq!(service_text("/blob/a/c", old), "r\n\nE\n/blob/a/c\n\n\n\n2015-04-05\n\nd\n\n\n");
        let new = of(&[("sv", "2021-12-02"), ("sr", "bs"), ("snapshot", "T"), ("sp", "r"), ("se", "E")]);
        assert_eq!(
            service_text("/blob/a/c/b", new),
            "r\n\nE\n/blob/a/c/b\n\n\n\n2021-12-02\nbs\nT\n\n\n\n\n\n"
        );
    }
}
