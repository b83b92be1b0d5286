//! What an authority answers with: rows T-04, T-09, T-14 and T-15.

use std::sync::Arc;

use openmiosa_authority::{Authority, AuthorityError};
use openmiosa_testkit::TestCa;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
    crypto::aws_lc_rs, version,
};
use rustls_pki_types::ServerName;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

const NAME: &str = "api.openai.com";

fn authority(ca: &TestCa) -> Authority {
    Authority::from_parts(ca.pem(), ca.key_der()).expect("an authority")
}

fn client(ca: &TestCa, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).expect("a root");
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A whole handshake in memory; the client's end of it.
fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>, name: &str) -> Result<ClientConnection, rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    let mut server = ServerConnection::new(Arc::clone(server))?;
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).expect("memory");
        }
        server.read_tls(&mut &wire[..]).expect("memory");
        let outcome = server.process_new_packets();
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).expect("memory");
        }
        client.read_tls(&mut &wire[..]).expect("memory");
        client.process_new_packets()?;
        outcome?;
    }
    Ok(client)
}

fn leaf_of(connection: &ClientConnection) -> Vec<u8> {
    connection.peer_certificates().expect("a chain")[0].to_vec()
}

#[test]
fn tls_1_2_and_1_3_clients_accept_a_leaf_for_its_name() {
    let ca = TestCa::new();
    let config = authority(&ca).server_config(&NAME).expect("a config");
    for versions in [[&version::TLS13], [&version::TLS12]] {
        assert!(handshake(&Arc::new(client(&ca, &versions)), &config, NAME).is_ok());
    }
}

#[test]
fn an_address_is_answered_with_a_leaf_for_that_address() {
    let ca = TestCa::new();
    for address in ["192.0.2.7", "2001:db8::7"] {
        let config = authority(&ca).server_config_ip(address.parse().expect("an address")).expect("a config");
        assert!(handshake(&Arc::new(client(&ca, &[&version::TLS13])), &config, address).is_ok());
    }
}

#[test]
fn t_14_a_leaf_is_for_one_exact_name_for_servers_alone_and_for_a_day() {
    let ca = TestCa::new();
    let config = authority(&ca).server_config(&NAME).expect("a config");
    let der = leaf_of(&handshake(&Arc::new(client(&ca, &[&version::TLS13])), &config, NAME).expect("a handshake"));
    let (_, leaf) = X509Certificate::from_der(&der).expect("a certificate");
    let san = leaf.subject_alternative_name().expect("readable").expect("there");
    assert_eq!(san.value.general_names, [GeneralName::DNSName(NAME)]);
    let usage = leaf.extended_key_usage().expect("readable").expect("there").value;
    assert!(usage.server_auth && !usage.any && !usage.client_auth && !usage.code_signing && usage.other.is_empty());
    let key_usage = leaf.key_usage().expect("readable").expect("there");
    assert!(key_usage.critical && key_usage.value.digital_signature() && !key_usage.value.key_cert_sign());
    assert!(!leaf.is_ca());
    let validity = leaf.validity();
    assert!(validity.not_after.timestamp() - validity.not_before.timestamp() <= 24 * 60 * 60);
    assert!(validity.is_valid());
}

#[test]
fn a_leaf_names_its_key_and_its_issuers_key_as_strict_verifiers_ask() {
    use x509_parser::extensions::ParsedExtension::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
    let ca = TestCa::new();
    let config = authority(&ca).server_config(&NAME).expect("a config");
    let der = leaf_of(&handshake(&Arc::new(client(&ca, &[&version::TLS13])), &config, NAME).expect("a handshake"));
    let (_, leaf) = X509Certificate::from_der(&der).expect("a certificate");
    let (_, root) = X509Certificate::from_der(ca.der()).expect("a certificate");
    let own = |certificate: &X509Certificate<'_>| {
        certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        })
    };
    let issuers = leaf.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
        _ => None,
    });
    assert!(own(&leaf).is_some());
    assert_eq!(issuers, own(&root));
}

#[test]
fn a_name_longer_than_a_common_name_is_answered() {
    let ca = TestCa::new();
    let name = format!("{}.{}.test", "a".repeat(60), "b".repeat(60));
    let config = authority(&ca).server_config(&name).expect("a config");
    assert!(handshake(&Arc::new(client(&ca, &[&version::TLS12])), &config, &name).is_ok());
}

#[test]
fn a_leaf_for_one_name_is_refused_for_another() {
    let ca = TestCa::new();
    let config = authority(&ca).server_config(&NAME).expect("a config");
    let client = Arc::new(client(&ca, &[&version::TLS13]));
    for other in ["openai.com", "a.api.openai.com", "api.openai.com.evil.test"] {
        assert!(handshake(&client, &config, other).is_err(), "{other}");
    }
}

#[test]
fn t_14_a_leaf_of_one_sandbox_is_refused_in_another() {
    let (one, other) = (TestCa::new(), TestCa::new());
    let config = authority(&one).server_config(&NAME).expect("a config");
    assert!(handshake(&Arc::new(client(&other, &[&version::TLS13])), &config, NAME).is_err());
}

#[test]
fn t_09_a_ticket_of_one_name_is_worth_nothing_at_another() {
    let ca = TestCa::new();
    let authority = authority(&ca);
    let (one, other) = (authority.server_config(&NAME).expect("a config"), authority.server_config(&"ok.test").expect("a config"));
    let client = Arc::new(client(&ca, &[&version::TLS13]));
    let kind = |server: &Arc<ServerConfig>| handshake(&client, server, NAME).map(|connection| connection.handshake_kind().expect("done"));
    assert_ne!(kind(&one).expect("a handshake"), HandshakeKind::Resumed);
    assert_eq!(kind(&one).expect("a handshake"), HandshakeKind::Resumed);
    // Whoever sends the ticket elsewhere gets a full handshake, whose certificate is another name's.
    assert!(kind(&other).is_err());
}

#[test]
fn t_09_early_data_is_never_taken() {
    let config = authority(&TestCa::new()).server_config(&NAME).expect("a config");
    assert_eq!(config.max_early_data_size, 0);
}

#[test]
fn t_07_http_1_1_is_chosen_and_a_client_without_it_is_refused() {
    let ca = TestCa::new();
    let config = authority(&ca).server_config(&NAME).expect("a config");
    let offering = |protocols: &[&str]| {
        let mut client = client(&ca, &[&version::TLS13]);
        client.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        handshake(&Arc::new(client), &config, NAME)
    };
    assert_eq!(offering(&["h2", "http/1.1"]).expect("a handshake").alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(offering(&[]).expect("a handshake").alpn_protocol(), None);
    assert!(offering(&["h2"]).is_err());
}

#[test]
fn a_name_is_minted_once_even_when_many_ask_at_once() {
    let authority = authority(&TestCa::new());
    let configs: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| authority.server_config(&NAME).expect("a config"))).collect();
        asked.into_iter().map(|asked| asked.join().expect("an answer")).collect()
    });
    assert!(configs.iter().all(|config| Arc::ptr_eq(config, &configs[0])));
}

#[test]
fn t_15_a_flood_of_names_evicts_and_does_not_grow() {
    let authority = authority(&TestCa::new());
    let first = authority.server_config(&NAME).expect("a config");
    for number in 0..3000 {
        authority.server_config(&format!("n{number}.wild.test")).expect("a config");
    }
    assert!(authority.cached_leaves() <= 1024);
    assert!(!Arc::ptr_eq(&first, &authority.server_config(&"n0.wild.test").expect("a config")));
}

#[test]
fn an_authority_near_its_end_answers_and_one_past_it_does_not() {
    use std::time::{Duration, SystemTime};
    let ends_in = |seconds: i64| {
        let at = |offset: i64| {
            if offset < 0 {
                SystemTime::now() - Duration::from_secs(offset.unsigned_abs())
            } else {
                SystemTime::now() + Duration::from_secs(offset.unsigned_abs())
            }
        };
        TestCa::with(|params| {
            params.not_before = at(seconds - 86_400).into();
            params.not_after = at(seconds).into();
        })
    };
    assert!(authority(&ends_in(60)).server_config(&NAME).is_ok());
    assert!(matches!(authority(&ends_in(-60)).server_config(&NAME), Err(AuthorityError::Expired)));
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let (one, other) = (TestCa::new(), TestCa::new());
    let error = |pem: &str, key: &[u8]| Authority::from_parts(pem, key).err().expect("a refusal");
    assert!(matches!(error(one.pem(), other.key_der()), AuthorityError::Mismatch));
    assert!(matches!(error("nothing", one.key_der()), AuthorityError::Certificate));
    assert!(matches!(error(one.pem(), b"nothing"), AuthorityError::Key));
    let leaf = TestCa::with(|params| params.is_ca = rcgen::IsCa::ExplicitNoCa);
    assert!(matches!(error(leaf.pem(), leaf.key_der()), AuthorityError::NotAnAuthority));
}
