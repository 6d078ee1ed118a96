//! `gardefou serve`: a DNS server that blocks what is listed. The work is in [`crate::serve`].

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use filter_core::policy::ClientMatch;

use crate::output::{ExitStatus, Output};
use crate::serve::{self, AnswerArgument, Listen, Options, Server, Source, Wishes, WithoutImage};

/// Serve DNS, and block what is listed
///
/// Answers blocked names itself and asks the upstreams about all others, over UDP and TCP. What
/// answers lead to (CNAME, HTTPS) is looked at too. Nothing is logged about who asks or what.
///
/// Image and policy are loaded again on SIGHUP, and when a file is another one; what is not sound is
/// reported, and what there was stays. SIGTERM and SIGINT end the server. Sockets that
/// systemd has opened are used instead of --listen.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 ended by a signal, 2 error.", after_long_help = LONG_HELP)]
pub struct Args {
    /// The image to serve; without it, the lists that come with this program are built
    #[arg(long, value_name = "IMAGE")]
    image: Option<PathBuf>,
    /// Where a build keeps lists that were read
    #[arg(long, value_name = "DIR", conflicts_with = "image")]
    cache: Option<PathBuf>,
    /// Where to listen, at port 53 unless one is named; may be given several times
    ///
    /// --allow-from says who is answered there. 0.0.0.0 and [::] stand for all addresses. Left out, it
    /// is 127.0.0.1:5300 and [::1]:5300, which needs no privilege.
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = plain_address)]
    listen: Vec<SocketAddr>,
    /// Where to listen for DNS over TLS, at port 853 unless one is named
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = tls_address,
          requires = "tls_certificate")]
    listen_tls: Vec<SocketAddr>,
    /// Where to listen for DNS over HTTPS, at port 443 unless one is named; it is asked at /dns-query
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = https_address,
          requires = "tls_certificate")]
    listen_https: Vec<SocketAddr>,
    /// The certificate for TLS and HTTPS, then those that vouch for it, in PEM
    ///
    /// Certificate and key are read again on SIGHUP, and when a file is another one.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Whose queries to answer; may be given several times
    ///
    /// Left out, and when others than this machine can reach it, it is this machine and the private
    /// and link-local networks. All others get no answer. 0.0.0.0/0 and ::/0 stand for everybody.
    #[arg(long, value_name = "NETWORK", value_parser = serve::prefix)]
    allow_from: Vec<ClientMatch>,
    /// Whom to ask, first choice first; may be given up to eight times
    ///
    /// In plain DNS: 192.0.2.53; over TLS: tls://192.0.2.53#dns.example; over HTTPS:
    /// https://192.0.2.53/dns-query#dns.example. What follows the # is the name its certificate has
    /// to be of, which is its address when there is none. Left out, it is the name servers of
    /// /etc/resolv.conf, in plain DNS.
    #[arg(long = "upstream", value_name = "SERVER")]
    upstreams: Vec<Server>,
    /// Certificates of whom vouches for upstreams over TLS, in PEM; without it, the system knows some
    #[arg(long, value_name = "FILE")]
    upstream_authorities: Option<PathBuf>,
    /// Who is kept from what, when, and how that is answered; without it, the image says
    ///
    /// `blocklists/policy.toml` is one, with all there is to say. The file is read again when it
    /// changes.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The profile of clients that the policy does not list
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
    /// The categories to block, in all profiles; the mandated ones in any case
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    categories: Vec<String>,
    /// How to answer blocked names, in all categories or in one: nxdomain, nodata, null, page, refused
    #[arg(long = "answer", value_name = "[CATEGORY=]ANSWER")]
    answers: Vec<AnswerArgument>,
    /// The address of a page that explains, for the answer `page`; one of IPv4 and one of IPv6
    #[arg(long, value_name = "ADDRESS")]
    page: Vec<IpAddr>,
    /// Who runs this place, to be shown with the reason of a block
    #[arg(long, value_name = "TEXT")]
    operator: Option<String>,
    /// What to do while there is no sound image
    #[arg(long, value_name = "WHAT", default_value = "stop")]
    without_image: WithoutImage,
    /// Answer nothing while the image is older than one of its lists may get
    #[arg(long)]
    closed_when_expired: bool,
    /// Threads that answer, each with a cache of its own
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: u8,
    /// Messages a client may send a second, to each worker; 0 for any number
    #[arg(long, value_name = "N", default_value_t = 100)]
    queries_per_second: u32,
    /// Names not in the cache a client may ask about a second, to each worker; 0 for any number
    #[arg(long, value_name = "N", default_value_t = 20)]
    names_per_second: u32,
    /// The EDNS option by which clients ask for reasons in JSON, a draft without a number yet
    ///
    /// draft-ietf-dnsop-structured-dns-error. One from 65001 on is for experiments (RFC 6891).
    #[cfg(feature = "structured-errors")]
    #[arg(long, value_name = "OPTION")]
    structured_errors: Option<u16>,
    /// Whom to become when the sockets are bound; it has to be able to read the image
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A socket to make for `gardefou status`
    #[arg(long, value_name = "PATH")]
    admin: Option<PathBuf>,
    /// Where to serve metrics for Prometheus over HTTP
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
}

const LONG_HELP: &str = "\
Exit codes:
  0  ended by a signal
  2  error

Examples:
  gardefou serve                                  at port 5300 of this machine, to try it
  gardefou serve --image school.gfi --listen 192.168.1.1 --user nobody
  gardefou serve --upstream 192.0.2.53 --upstream 2001:db8::53
  gardefou serve --upstream tls://192.0.2.53#dns.example
  gardefou serve --listen-tls 192.168.1.1 --tls-certificate cert.pem --tls-key key.pem
  gardefou serve --profile school --operator 'School of Example'
  gardefou serve --policy policy.toml --admin /run/gardefou/admin.sock
  gardefou serve --categories adult,gambling --answer nodata --answer adult=null";

impl Args {
    /// Runs the command, until a signal ends it.
    ///
    /// # Errors
    /// When there is nothing to serve, nobody to ask, or nowhere to listen.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        let limit = |per_second| (per_second > 0).then_some(per_second);
        let options = Options {
            source: Source {
                file: self.image.clone(),
                cache: self.cache.clone(),
                wishes: Wishes {
                    file: self.policy.clone(),
                    profile: self.profile.clone(),
                    categories: self.categories.clone(),
                    answers: self.answers.clone(),
                    page: self.page.clone(),
                    operator: self.operator.clone(),
                },
                closes_when_expired: self.closed_when_expired,
            },
            without_image: self.without_image,
            listen: Listen {
                plain: self.listen.clone(),
                tls: self.listen_tls.clone(),
                https: self.listen_https.clone(),
            },
            identity: self.tls_certificate.clone().zip(self.tls_key.clone()),
            allow_from: self.allow_from.clone(),
            upstreams: self.upstreams.clone(),
            upstream_authorities: self.upstream_authorities.clone(),
            workers: self.workers.into(),
            queries_per_second: limit(self.queries_per_second),
            names_per_second: limit(self.names_per_second),
            #[cfg(feature = "structured-errors")]
            structured_errors: self.structured_errors,
            user: self.user.clone(),
            admin: self.admin.clone(),
            metrics: self.metrics,
        };
        serve::run(options, output)?;
        Ok(ExitStatus::Success)
    }
}

fn plain_address(text: &str) -> Result<SocketAddr, String> {
    serve::address(text, serve::PORT)
}

fn tls_address(text: &str) -> Result<SocketAddr, String> {
    serve::address(text, serve::TLS_PORT)
}

fn https_address(text: &str) -> Result<SocketAddr, String> {
    serve::address(text, serve::HTTPS_PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_the_usual_port_unless_they_have_one() {
        let shown = |text| plain_address(text).unwrap().to_string();
        assert_eq!(shown("192.0.2.53"), "192.0.2.53:53");
        assert_eq!(shown("192.0.2.53:5300"), "192.0.2.53:5300");
        assert_eq!(shown("[::]"), "[::]:53");
        assert_eq!(shown("2001:db8::53"), "[2001:db8::53]:53");
        assert_eq!(shown("[::1]:5300"), "[::1]:5300");
        assert!(plain_address("dns.example").is_err());
        assert_eq!(tls_address("192.0.2.53").unwrap().port(), 853);
        assert_eq!(https_address("192.0.2.53").unwrap().port(), 443);
    }
}
