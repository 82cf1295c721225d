//! Memory that does not grow with what is asked for.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Address, Client};
use crate::process::Bank;
use crate::subjects::OldCa;
use crate::{Done, Effort};

/// Nonces asked for before any answer is read.
const AT_ONCE: usize = 200;

/// What ends a head.
const END: &[u8] = b"\r\n\r\n";

/// Prints the bank's memory before, during and after many nonces.
pub(crate) async fn nonces(effort: Effort) -> Done {
    let count = effort.of(20_000, 1_000_000);
    let bank = Bank::new()?;
    let address = Address::of(&bank)?;
    let mut stream = address.connect().await?;
    let one =
        format!("HEAD {} HTTP/1.1\r\nhost: {}\r\n\r\n", address.path("new-nonce")?, address.host());
    let requests = one.repeat(AT_ONCE);
    let mut answers = vec![0; 1 << 16];
    println!("nonces: memory of the bank, in KiB");
    let mut report = Report::new(&bank)?;
    let began = bank.cpu()?;
    for asked in (0..count).step_by(AT_ONCE) {
        if asked == count / 10 {
            report.print(&bank, "after a tenth of the nonces")?;
        }
        stream.write_all(requests.as_bytes()).await?;
        let mut open = AT_ONCE;
        // A head never ends across two reads of a test that only counts: keep what may be its
        // beginning.
        let mut kept = Vec::new();
        while open > 0 {
            let read = stream.read(&mut answers).await?;
            if read == 0 {
                return Err("the bank closed the connection".into());
            }
            kept.extend_from_slice(&answers[..read]);
            let ends = kept.windows(END.len()).filter(|window| *window == END).count();
            open = open.checked_sub(ends).ok_or("more answers than requests")?;
            kept.drain(..kept.len().saturating_sub(END.len() - 1));
        }
    }
    report.print(&bank, &format!("after {count} nonces"))?;
    println!(
        "  CPU of the bank: {:.2} us a nonce",
        crate::figures::each(bank.cpu_since(began)?, count)
    );
    Ok(())
}

/// Prints the bank's memory before, during and after many logons whose sessions stay open.
pub(crate) async fn sessions(effort: Effort) -> Done {
    let count = effort.of(400, 10_000);
    let mut bank = Bank::new()?;
    let mut old_ca = OldCa::new()?;
    let subjects = old_ca.issue(count)?;
    bank.import(&subjects)?;
    let address = Address::of(&bank)?;
    let mut client = Client::connect(&address).await?;
    println!("sessions: memory of the bank, in KiB");
    let mut report = Report::new(&bank)?;
    for (number, subject) in subjects.iter().enumerate() {
        if number == count / 2 {
            report.print(&bank, "with half of the sessions open")?;
        }
        client.log_on(subject).await?;
    }
    report.print(&bank, &format!("with {count} sessions open"))
}

struct Report {
    before: u32,
}

impl Report {
    fn new(bank: &Bank) -> Done<Self> {
        let before = bank.resident()?;
        println!("  {:<44} {before:>9}", "before");
        Ok(Self { before })
    }

    fn print(&mut self, bank: &Bank, when: &str) -> Done {
        let resident = bank.resident()?;
        let more = i64::from(resident) - i64::from(self.before);
        println!("  {when:<44} {resident:>9}   ({more:+})");
        self.before = resident;
        Ok(())
    }
}
