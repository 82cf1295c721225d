//! What comes after the renewal: the old certificate is tried, the new one stolen, and everything looked at.

use koshin_client::error::{Error, printable};
use koshin_client::{Client, Outcome};
use koshin_protocol::certificate::Certificate;
use koshin_protocol::problem::Problem;
use koshin_protocol::revocation::Reason;
use koshin_server::audit;

use crate::Failure;
use crate::scene::{ADMINISTRATOR, LAPTOP, NEW_LAPTOP, OLD_PC, Scene};

impl Scene {
    /// The machine that nobody thought of logs on with the old certificate.
    pub(crate) fn try_the_old_certificate(&mut self, renewed: &Certificate) -> Result<(), Failure> {
        self.account.act("The old PC, too, wants to log on")?;
        let client = self.client_of(OLD_PC, "en")?;
        let refusal = self.refusal(&client)?;
        let Error::RenewedElsewhere { successor, .. } = &refusal else {
            return Err(format!("another refusal was expected: {refusal}").into());
        };
        if *successor != koshin_protocol::cert_id::CertId::of(renewed) {
            return Err("the bank names another successor".into());
        }
        drop(client);
        self.tell_refusal(problem(&refusal)?)?;
        let in_japanese = self.client_of(OLD_PC, "ja")?;
        let refusal = self.refusal(&in_japanese)?;
        Ok(self.account.step("in Japanese", &printable(&problem(&refusal)?.title))?)
    }

    /// The administrator permits a new enrollment, the user enrolls on another machine.
    pub(crate) fn replace_the_stolen_laptop(
        &mut self,
        renewed: &Certificate,
    ) -> Result<Certificate, Failure> {
        self.account.act("The laptop is stolen, with key and certificate")?;
        let administrator = self.client_of(ADMINISTRATOR, "en")?;
        let name = renewed.subject().as_str();
        let permission = self.runtime.block_on(async {
            let contract = administrator.contract().await?;
            let user = contract.subjects.into_iter().find(|entry| entry.name.as_str() == name);
            let user = user.ok_or(Error::Nothing { what: "such user in the contract" })?;
            administrator.reissue(user.id, user.name, Reason::DeviceLost).await
        })?;
        self.account.step(
            "reissue",
            &format!(
                "{}, the administrator, permits one, signed with an {} key. The code for {}, made on the administrator's \
                 machine and never sent: {}",
                self.administrator()?.called(),
                self.administrator()?.key_type(),
                self.user()?.called(),
                permission.ticket.code.to_grouped().as_str(),
            ),
        )?;
        let refusal = self.refusal(&self.client_of(LAPTOP, "en")?)?;
        let problem = problem(&refusal)?;
        self.account.step(
            "the thief",
            &format!("is refused from this second on: {}", printable(&problem.title)),
        )?;
        let client = self.client_of(NEW_LAPTOP, "en")?;
        let enrolled = match self.runtime.block_on(client.enroll(&permission.ticket))? {
            Outcome::Renewed(enrolled) => enrolled.certificate,
            other => return Err(format!("no certificate came of it: {other:?}").into()),
        };
        self.account.step(
            "enroll",
            &format!(
                "in identities/{NEW_LAPTOP}, with code and PIN: a new key, valid until {}.",
                enrolled.not_after()
            ),
        )?;
        Ok(enrolled)
    }

    /// The bank's audit, record by record.
    pub(crate) fn check_the_books(&mut self) -> Result<(), Failure> {
        self.account.act("The bank's books")?;
        let heads =
            self.runtime.block_on(audit::verify(&*self.bank()?.running.bank().store, None))?;
        let records: u64 = heads.iter().map(|head| head.sequence).sum();
        Ok(self.account.say(&format!(
            "{records} audit records in {} chains, one for each change and in the same transaction; every hash fits.",
            heads.len()
        ))?)
    }

    /// Commands of another program that check what is in the folder.
    pub(crate) fn name_what_to_look_at(&mut self, enrolled: &Certificate) -> Result<(), Failure> {
        if self.current_of(NEW_LAPTOP)? != *enrolled {
            return Err("the new laptop does not use its new certificate".into());
        }
        self.account.act("All keys and certificates are there for OpenSSL to check")?;
        for line in [
            format!("cd {}", self.folder().display()),
            format!("new=identities/{NEW_LAPTOP}/current"),
            "openssl x509 -in $new/certificate.pem -noout -subject -issuer -enddate".to_owned(),
            "openssl verify -CAfile bank/root.pem -untrusted $new/certificate.pem $new/certificate.pem"
                .to_owned(),
            "openssl x509 -in $new/certificate.pem -noout -pubkey >certificate.pub".to_owned(),
            "openssl pkey -in $new/key.pem -pubout | cmp - certificate.pub && echo the same key"
                .to_owned(),
        ] {
            self.account.command(&line)?;
        }
        Ok(())
    }

    /// What the bank says to a logon that it must refuse.
    fn refusal(&self, client: &Client) -> Result<Error, Failure> {
        match self.runtime.block_on(client.log_on()) {
            Ok(_) => Err("the bank accepted a certificate that does not count".into()),
            Err(refusal) => Ok(refusal),
        }
    }

    fn tell_refusal(&self, problem: &Problem) -> Result<(), Failure> {
        let token = problem.token().map_or("?", |token| token.as_str());
        self.account.step("refused", &format!("{} ({token}).", printable(&problem.title)))?;
        self.account.step("", &printable(&problem.detail))?;
        Ok(self.account.step("remedy", &problem.remedy.action.to_string())?)
    }
}

/// The bank's words in a refusal.
fn problem(refusal: &Error) -> Result<&Problem, Failure> {
    refusal.problem().ok_or_else(|| format!("this is no refusal of the bank: {refusal}").into())
}
