//! A request as its relay receives it, taken apart: each byte of it belongs to a field, and each field
//! says what it may tell.

use minicbor::Decoder;
use minicbor::data::Type;

use crate::envelope;
use crate::mailbox::{
    Allocate, CERTIFICATE_LEN, Challenge, Claim, Close, Get, Operation, Put, ReadRequest, Rendezvous, Right,
    SignedRequest, Slot,
};

/// What a field may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The same in every run.
    Fixed,
    /// Drawn, or computed with what was drawn: of one length, and never the same again.
    Fresh,
    /// What the relay said before: a place, a position, its time.
    Relays,
}

/// A named part of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    /// Which one. What stands in several requests has one name in all of them.
    pub name: &'static str,
    /// What it may be.
    pub class: Class,
    /// Its bytes; a number in 8 of them.
    pub value: Vec<u8>,
}

/// All that a request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Which request it is: its path, and the operation or slot.
    pub form: String,
    /// Its fields, in the order of their bytes.
    pub fields: Vec<Field>,
}

impl Received {
    /// Takes a request apart. `None` if a byte of it has no place in a field.
    pub fn parse(method: &str, target: &str, body: &[u8]) -> Option<Self> {
        let mut fields = Fields::default();
        let form = match (method, target) {
            ("GET", _) => {
                let challenge = Challenge::from_text(target.strip_prefix("/v1/relay?c=")?).ok()?;
                fields.fresh("challenge", challenge.as_bytes());
                body.is_empty().then(String::new)?
            }
            ("POST", "/v1/pair/allocate") => fields.allocate(&Allocate::from_bytes(body).ok()?),
            ("POST", "/v1/pair/claim") => {
                let Claim { place, token } = Claim::from_bytes(body).ok()?;
                fields.place(&place);
                fields.fresh("H(token)", token.as_bytes());
                String::new()
            }
            ("POST", "/v1/pair/put") => {
                let Put { place, token, slot, bytes } = Put::from_bytes(body).ok()?;
                fields.place(&place);
                fields.fresh("token", token.expose());
                fields.pairing_message(slot, &bytes)?;
                slot.name().to_owned()
            }
            ("POST", "/v1/pair/get") => {
                let Get { place, token, slot, wait_ms } = Get::from_bytes(body).ok()?;
                fields.place(&place);
                fields.fresh("token", token.expose());
                fields.number("wait", Class::Fixed, wait_ms.into());
                slot.name().to_owned()
            }
            ("POST", "/v1/pair/close") => {
                let Close { place, token } = Close::from_bytes(body).ok()?;
                fields.place(&place);
                fields.fresh("token", token.expose());
                String::new()
            }
            ("POST", "/v1/mb") => fields.signed(body)?.to_owned(),
            ("POST", "/v1/read") => {
                let ReadRequest { polls, follow } = ReadRequest::from_bytes(body).ok()?;
                fields.number("follow", Class::Fixed, follow.into());
                for poll in &polls {
                    (fields.signed(&poll.to_bytes())? == "poll").then_some(())?;
                }
                String::new()
            }
            _ => return None,
        };
        let path = target.split('?').next().unwrap_or(target);
        Some(Self { form: format!("{path} {form}").trim_end().to_owned(), fields: fields.0 })
    }

    /// The values of the fields of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |f| f.name == name).map(|f| f.value.as_slice())
    }
}

#[derive(Default)]
struct Fields(Vec<Field>);

impl Fields {
    fn push(&mut self, name: &'static str, class: Class, value: &[u8]) {
        self.0.push(Field { name, class, value: value.to_vec() });
    }

    fn fixed(&mut self, name: &'static str, value: &[u8]) {
        self.push(name, Class::Fixed, value);
    }

    fn fresh(&mut self, name: &'static str, value: &[u8]) {
        self.push(name, Class::Fresh, value);
    }

    fn number(&mut self, name: &'static str, class: Class, value: u64) {
        self.push(name, class, &value.to_be_bytes());
    }

    /// The digits come from the relay, the id of an invite from its maker.
    fn place(&mut self, place: &Rendezvous) {
        match place {
            Rendezvous::Nameplate(digits) => self.push("digits", Class::Relays, digits.as_str().as_bytes()),
            Rendezvous::Invite(id) => self.fresh("invite", id.as_bytes()),
        }
    }

    fn right(&mut self, right: &Right) {
        match right {
            Right::None => self.fixed("right", b"none"),
            Right::Operator(_) => self.fixed("right", b"operator's token"),
            Right::Pairing { place, token } => {
                self.fixed("right", b"pairing");
                self.place(place);
                self.fresh("token", token.expose());
            }
            Right::Work { challenge, answer } => {
                self.fixed("right", b"work");
                self.push("work", Class::Relays, &[challenge.as_slice(), answer].concat());
            }
        }
    }

    fn allocate(&mut self, call: &Allocate) -> String {
        let Allocate { token, invite, right } = call;
        self.fresh("H(token)", token.as_bytes());
        if let Some(id) = invite {
            self.fresh("invite", id.as_bytes());
        }
        self.right(right);
        String::new()
    }

    /// M1 to M4, by position.
    fn pairing_message(&mut self, slot: Slot, bytes: &[u8]) -> Option<()> {
        let mut rest = Rest(bytes);
        match slot {
            Slot::A1 => {
                self.fixed("version, suite", rest.take(2)?);
                self.fresh("sid", rest.take(32)?);
                self.fresh("Ya", rest.take(32)?);
                self.fixed("suites", rest.take(2)?);
                self.fresh("ek", rest.take(1184)?);
            }
            Slot::B1 => {
                self.fixed("version", rest.take(1)?);
                self.fresh("Yb", rest.take(32)?);
                self.fixed("suite", rest.take(1)?);
                self.fresh("ct", rest.take(1088)?);
            }
            Slot::A2 | Slot::B2 => {
                self.fresh("tag", rest.take(64)?);
                self.fresh("box nonce", rest.take(24)?);
                let sealed = rest.take(rest.0.len())?;
                matches!(sealed.len(), 4112 | 8080).then_some(())?;
                self.fresh("box", sealed);
            }
        }
        rest.0.is_empty().then_some(())
    }

    /// A signed request to a mailbox; its name. The array is walked by hand, so that a field of it which
    /// is not named here is noticed.
    fn signed(&mut self, body: &[u8]) -> Option<&'static str> {
        let request = SignedRequest::from_bytes(body).ok()?;
        let mut d = Decoder::new(body);
        (d.array().ok()? == Some(6)).then_some(())?;
        self.number("op", Class::Fixed, d.u64().ok()?);
        self.fresh("mailbox", d.bytes().ok()?);
        if d.datatype().ok()? == Type::Null {
            d.null().ok()?;
        } else {
            self.certificate(d.bytes().ok()?)?;
        }
        self.number("time", Class::Relays, d.u64().ok()?);
        let args = d.bytes().ok()?;
        let operation = request.operation().ok()?;
        (operation.args() == args).then_some(())?;
        let name = self.operation(&operation)?;
        self.fresh("signature", d.bytes().ok()?);
        (d.position() == body.len()).then_some(name)
    }

    fn certificate(&mut self, bytes: &[u8]) -> Option<()> {
        let mut rest = Rest(bytes);
        (bytes.len() == CERTIFICATE_LEN).then_some(())?;
        self.fixed("certificate version", rest.take(1)?);
        self.fresh("mailbox", rest.take(32)?);
        self.fresh("sender", rest.take(32)?);
        self.fixed("epoch", rest.take(4)?);
        self.fixed("quotas", rest.take(16)?);
        self.fresh("certificate signature", rest.take(64)?);
        Some(())
    }

    fn operation(&mut self, operation: &Operation) -> Option<&'static str> {
        Some(match operation {
            Operation::Create { min_epoch, right } => {
                self.number("min epoch", Class::Fixed, (*min_epoch).into());
                self.right(right);
                "create"
            }
            Operation::Post { envelopes } => {
                for envelope in envelopes {
                    self.envelope(envelope)?;
                }
                "post"
            }
            Operation::Poll { incarnation, after, max, wait_ms } => {
                let incarnation = incarnation.as_ref().map_or(&[][..], |i| i.as_bytes());
                self.push("incarnation", Class::Relays, incarnation);
                self.number("after", Class::Relays, *after);
                self.number("max", Class::Fixed, (*max).into());
                self.number("wait", Class::Fixed, (*wait_ms).into());
                "poll"
            }
            Operation::Ack { at, hash } => {
                self.push("incarnation", Class::Relays, at.incarnation.as_bytes());
                self.number("position", Class::Relays, at.seq);
                self.push("H(envelope)", Class::Relays, hash.as_bytes());
                "ack"
            }
            Operation::Epoch { min_epoch } => {
                self.number("min epoch", Class::Fixed, (*min_epoch).into());
                "epoch"
            }
            Operation::Delete => "delete",
        })
    }

    /// `01 ‖ suite ‖ nonce24 ‖ hdr56 ‖ ct`, and nothing else.
    fn envelope(&mut self, bytes: &[u8]) -> Option<()> {
        envelope::check(bytes, envelope::DEFAULT_MAX).ok()?;
        let mut rest = Rest(bytes);
        self.fixed("envelope version, suite", rest.take(2)?);
        self.fresh("envelope nonce", rest.take(24)?);
        self.fresh("envelope header", rest.take(56)?);
        self.fresh("envelope body", rest.0);
        Some(())
    }
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::{ClientToken, MailboxKeyPair, Nameplate, RelayKeyPair};
    use crate::time::Timestamp;

    #[test]
    fn every_byte_of_a_request_has_its_field_or_it_is_none() {
        let place = "4821".parse::<Nameplate>().map(Rendezvous::from).unwrap();
        let call = Close { place, token: ClientToken::from_bytes([9; 32]) };
        let body = call.to_bytes();
        let received = Received::parse("POST", "/v1/pair/close", &body).unwrap();
        assert_eq!(received.form, "/v1/pair/close");
        assert_eq!(received.all("digits").collect::<Vec<_>>(), [b"4821"]);
        assert_eq!(received.all("token").collect::<Vec<_>>(), [[9; 32]]);
        for other in [[body.as_slice(), &[0]].concat(), body[..body.len() - 1].to_vec()] {
            assert_eq!(Received::parse("POST", "/v1/pair/close", &other), None);
        }
        assert_eq!(Received::parse("POST", "/v1/pair/close?words=1", &body), None);
        assert_eq!(Received::parse("GET", "/v1/pair/close", &body), None);
    }

    #[test]
    fn an_envelope_with_a_byte_more_in_its_clear_part_is_none() {
        let (mut alice, _) = crate::testing::sessions(1);
        let rng = &mut crate::testing::SeededRng::new(2);
        let envelope = alice.seal(crate::session::Lane::Ordinary, b"x", 512, rng).unwrap();
        let post = |envelope: Vec<u8>| {
            let relay = RelayKeyPair::from_seed(&[2; 32]).public();
            let owner = MailboxKeyPair::from_seed(&[1; 32]);
            let post = Operation::Post { envelopes: vec![envelope] };
            SignedRequest::by_owner(&owner, &relay, Timestamp::from_millis(1), &post).to_bytes()
        };
        let received = Received::parse("POST", "/v1/mb", &post(envelope.clone())).unwrap();
        let whole = ["envelope version, suite", "envelope nonce", "envelope header", "envelope body"]
            .map(|name| received.all(name).next().unwrap());
        assert_eq!(whole.concat(), envelope);
        assert_eq!(whole.map(<[u8]>::len), [2, 24, 56, 430]);
        let longer = [envelope.as_slice(), &[0, 0, 0, 1]].concat();
        assert_eq!(Received::parse("POST", "/v1/mb", &post(longer)), None);
    }
}
