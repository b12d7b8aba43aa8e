//! Letters by SMTP (RFC 5321), over TLS unless the settings say otherwise.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport as _};

use crate::call::Pii;

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// STARTTLS (RFC 3207), without which nothing is sent.
    StartTls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// None: for a server on this machine.
    None,
}

/// Where letters are handed in.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// The server's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Who hands them in, and with what password, where that is asked for.
    pub user: Option<(String, Pii<String>)>,
    /// Who they are from.
    pub from: String,
    /// A certificate authority of one's own, as PEM, beside those that everybody trusts.
    pub authority: Option<Vec<u8>>,
    /// The longest that an answer of the server's takes.
    pub timeout: Duration,
}

/// Why a letter was not taken. Holds nothing of the letter.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// Who it is from, or to.
    #[error("'{0}' is no e-mail address: expected NAME@HOST, or Words <NAME@HOST>")]
    Address(String),
    /// The certificate authority.
    #[error("the certificate in mail_ca cannot be used: {0}")]
    Authority(String),
    /// The letter itself cannot be written.
    #[error("the letter cannot be written: {0}")]
    Letter(String),
    /// The server does not answer, or not now.
    #[error("the mail server takes nothing now: {0}")]
    NotNow(String),
    /// The server refuses it.
    #[error("the mail server refuses: {0}")]
    Refused(String),
}

impl MailError {
    /// Whether another try may help.
    pub fn may_pass(&self) -> bool {
        matches!(self, MailError::NotNow(_))
    }
}

/// Hands letters in, each on a connection of its own.
pub struct Mailer {
    transport: SmtpTransport,
    from: Mailbox,
}

impl Mailer {
    /// A mailer by these settings. Connects to nobody yet.
    ///
    /// # Errors
    /// Where the sender's address or the certificate is none.
    pub fn new(settings: MailSettings) -> Result<Mailer, MailError> {
        let from = mailbox(&settings.from)?;
        let parameters = || {
            let mut tls = TlsParameters::builder(settings.host.clone());
            if let Some(pem) = &settings.authority {
                let authority =
                    Certificate::from_pem(pem).map_err(|e| MailError::Authority(e.to_string()))?;
                tls = tls.add_root_certificate(authority);
            }
            tls.build_rustls().map_err(|e| MailError::Authority(e.to_string()))
        };
        let tls = match settings.security {
            Security::StartTls => Tls::Required(parameters()?),
            Security::Tls => Tls::Wrapper(parameters()?),
            Security::None => Tls::None,
        };
        let mut transport = SmtpTransport::builder_dangerous(settings.host.clone())
            .port(settings.port)
            .timeout(Some(settings.timeout))
            .tls(tls);
        if let Some((user, password)) = settings.user {
            transport = transport.credentials(Credentials::new(user, password.expose().clone()));
        }
        Ok(Mailer { transport: transport.build(), from })
    }

    /// Hands a letter in. `key` makes its Message-ID: the same letter twice is known for one.
    ///
    /// # Errors
    /// Where the server does not take it.
    pub fn send(&self, to: &[String], key: &str, subject: &str, text: &str) -> Result<(), MailError> {
        let mut letter = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .message_id(Some(format!("<{key}@{}>", self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN);
        for to in to {
            letter = letter.to(mailbox(to)?);
        }
        let letter = letter.body(text.to_owned()).map_err(|e| MailError::Letter(e.to_string()))?;
        self.transport.send(&letter).map(|_| ()).map_err(|error| {
            // A server's answer may quote an address, which is the team's own.
            let why = error.to_string();
            if error.is_permanent() { MailError::Refused(why) } else { MailError::NotNow(why) }
        })
    }
}

fn mailbox(address: &str) -> Result<Mailbox, MailError> {
    address.parse().map_err(|_| MailError::Address(address.to_owned()))
}
