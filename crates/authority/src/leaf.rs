//! One leaf: P-256, one name, for servers only, for a day at most.

use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Clocks inside and outside of a sandbox may be apart by this much.
const BACKDATE: Duration = Duration::from_secs(5 * 60);
/// From beginning to end, so that a leaf that is taken elsewhere is soon worth nothing.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// A leaf with less left than this is not handed to a new connection.
const RENEW_BEFORE: Duration = Duration::from_secs(60 * 60);
/// RFC 5280's bound on a common name.
const MAX_COMMON_NAME: usize = 64;

/// From when to when a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    begins: SystemTime,
    ends: SystemTime,
}

/// A certificate with its key.
pub(crate) struct Leaf {
    pub certificate: CertificateDer<'static>,
    pub key: PrivateKeyDer<'static>,
}

impl Window {
    /// From seconds since 1970; what lies before is 1970.
    pub fn from_seconds(begins: i64, ends: i64) -> Self {
        let at = |seconds: i64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.max(0).unsigned_abs());
        Self { begins: at(begins), ends: at(ends) }
    }

    /// A leaf's, inside its authority's; `None` when the authority does not hold now.
    pub fn of_leaf(now: SystemTime, authority: Self) -> Option<Self> {
        let begins = (now - BACKDATE).max(authority.begins);
        let ends = (begins + LIFETIME).min(authority.ends);
        (begins <= now && now < ends).then_some(Self { begins, ends })
    }

    /// Whether it still holds for long enough. An authority near its end gives leaves that are minted for each use.
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        self.begins <= now && now + RENEW_BEFORE < self.ends
    }
}

impl Leaf {
    pub fn mint(name: &str, san: SanType, window: Window, issuer: &Issuer<'_, KeyPair>) -> Result<Self, Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.not_before = window.begins.into();
        params.not_after = window.ends.into();
        params.subject_alt_names = vec![san];
        params.distinguished_name = DistinguishedName::new();
        // An empty subject would make the alternative name critical, which strict verifiers check and old ones trip over.
        let common_name = if name.len() <= MAX_COMMON_NAME { name } else { "long name" };
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, issuer)?;
        Ok(Self { certificate: certificate.into(), key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{LIFETIME, Window};

    fn days(count: u64) -> Duration {
        Duration::from_secs(count * 24 * 60 * 60)
    }

    #[test]
    fn t_14_a_leaf_lasts_a_day_at_most_and_never_longer_than_its_authority() {
        let now = SystemTime::now();
        let long = Window { begins: now - days(1), ends: now + days(30) };
        let leaf = Window::of_leaf(now, long).expect("leaf");
        assert_eq!(leaf.ends.duration_since(leaf.begins).expect("order"), LIFETIME);
        assert!(leaf.begins < now);
        let short = Window { ends: now + Duration::from_secs(90), ..long };
        assert_eq!(Window::of_leaf(now, short).expect("leaf").ends, short.ends);
    }

    #[test]
    fn t_14_an_authority_that_has_ended_gives_no_leaf() {
        let now = SystemTime::now();
        assert_eq!(Window::of_leaf(now, Window { begins: now - days(2), ends: now - days(1) }), None);
        assert_eq!(Window::of_leaf(now, Window { begins: now + days(1), ends: now + days(2) }), None);
    }

    #[test]
    fn a_leaf_is_renewed_an_hour_before_it_ends_and_when_the_clock_went_back() {
        let now = SystemTime::now();
        let leaf = Window { begins: now, ends: now + Duration::from_secs(7200) };
        assert!(leaf.is_fresh(now + Duration::from_secs(3599)));
        assert!(!leaf.is_fresh(now + Duration::from_secs(3600)));
        assert!(!leaf.is_fresh(now - Duration::from_secs(1)));
    }
}
