//! What one `koshin renew` costs the machine that it runs on, its own start included.
//!
//! ```text
//! cargo bench -p koshin-client
//! cargo bench -p koshin-client -- --quick     # for CI
//! ```
//!
//! The bank is another process, this program started again: as `init` makes it, on loopback, with TLS 1.3 and the seed's policy.
//! Every renewal has a customer of its own, with a key in a file and a PIN, and is the release build of the real command,
//! in its usual form: `koshin renew --yes`. CPU time is the scheduler's account of the ended processes (user and system),
//! which the kernel tells in hundredths of a second: so it is read around batches, of which minimum, median and maximum are
//! printed. The aim is 50 ms.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use koshin_client::clock::{Clock, SystemClock};
use koshin_protocol::time::Time;
use koshin_server::config::Origin;
use koshin_server::init::{NewBank, NewTransport};
use koshin_server::provision::Answer;
use koshin_server::start::start;

type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const PIN: &str = "481516";
const SERVE: &str = "serve";
/// Ticks of `/proc/self/stat` in a second, on every Linux.
const TICKS: u32 = 100;

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, folder, customers] = arguments.as_slice()
        && first == SERVE
    {
        return serve(folder.as_ref(), customers.parse()?);
    }
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let (batches, size) = if is_quick { (2, 2) } else { (9, 10) };
    let folder = tempfile::tempdir()?;
    let mut bank = Bank::start(folder.path(), batches * size)?;
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    for batch in 0..batches {
        let customers = batch * size..(batch + 1) * size;
        for customer in customers.clone() {
            bank.koshin(customer, &["import", "--offline", &format!("customer-{customer}.pem")])?;
        }
        let (ticks, begun) = (ended_children()?, Instant::now());
        for customer in customers {
            bank.koshin(customer, &["renew", "--yes"])?;
        }
        let per = f64::from(u32::try_from(size)?);
        let ticks = f64::from(u32::try_from(ended_children()? - ticks)?);
        wall.push(begun.elapsed().as_secs_f64() * 1000.0 / per);
        cpu.push(ticks * 1000.0 / f64::from(TICKS) / per);
    }
    let renewals = batches * size;
    println!("koshin renew, {renewals} renewals, in milliseconds each (minimum, median, maximum):");
    println!("  CPU time        {}", spread(&mut cpu));
    println!("  wall-clock time {}", spread(&mut wall));
    let requests = bank.requests()?;
    println!("  requests        {:.2}", f64::from(requests) / f64::from(u32::try_from(renewals)?));
    bank.stop()
}

fn spread(figures: &mut [f64]) -> String {
    figures.sort_by(f64::total_cmp);
    let (first, middle) = (figures[0], figures[figures.len() / 2]);
    format!("{first:.1}  {middle:.1}  {:.1}", figures[figures.len() - 1])
}

/// CPU time of the children that ended, in ticks.
fn ended_children() -> Done<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    // proc(5): cutime and cstime are fields 16 and 17; the name was field 2.
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    Ok(fields[13].parse::<u64>()? + fields[14].parse::<u64>()?)
}

/// A bank in another process, and its customers' folders.
struct Bank<'a> {
    folder: &'a Path,
    process: Child,
    directory: String,
    metrics: String,
}

impl<'a> Bank<'a> {
    fn start(folder: &'a Path, customers: usize) -> Done<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([SERVE.as_ref(), folder.as_os_str(), customers.to_string().as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = process.stdout.take().ok_or("no output")?;
        let mut lines = BufReader::new(out).lines();
        let mut next = || -> Done<String> { Ok(lines.next().ok_or("the bank did not start")??) };
        let (directory, metrics) = (next()?, next()?);
        Ok(Self { folder, process, directory, metrics })
    }

    fn koshin(&self, customer: usize, arguments: &[&str]) -> Done {
        let home = self.folder.join(format!("home-{customer}"));
        let root = self.folder.join("bank/root.pem");
        let mut command = Command::new(env!("CARGO_BIN_EXE_koshin"));
        command.args(arguments).current_dir(self.folder).env_clear().env("KOSHIN_HOME", home);
        if arguments[0] == "import" {
            command.arg("--directory").arg(&self.directory);
            command.arg("--trust").arg(&root).arg("--tls-trust").arg(&root);
        } else {
            command.env("KOSHIN_PIN", PIN);
        }
        let output = command.stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
    }

    /// How many requests the bank had.
    fn requests(&self) -> Done<u32> {
        let mut stream = TcpStream::connect(&self.metrics)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bank\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let counts = text.lines().filter(|line| line.starts_with("koshin_requests_total"));
        let counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u32>().ok());
        Ok(counts.sum())
    }

    fn stop(&mut self) -> Done {
        drop(self.process.stdin.take());
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Bank<'_> {
    fn drop(&mut self) {
        self.stop().ok();
    }
}

/// Is the bank, until its standard input ends.
fn serve(folder: &Path, customers: usize) -> Done {
    let now = SystemClock.now();
    let in_days = |days: i64| Time::from_unix(now.unix() + days * 86_400);
    let new = NewBank {
        organization: "Example Bank",
        origin: &Origin::parse("https://localhost:8443").ok_or("no origin")?,
        listen: "127.0.0.1:0".parse()?,
        transport: NewTransport::LoopbackTls,
        metrics: Some("127.0.0.1:0".parse()?),
        policy: "seed",
        testing: true,
        passphrase: None,
        now,
    };
    let config = new.create(&folder.join("bank"))?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let running = start(config).await?;
        for customer in 0..customers {
            let request = serde_json::json!({
                "role": "user",
                "contract": "c",
                "notBefore": in_days(-300)?,
                "notAfter": in_days(20)?,
                "pin": PIN,
            });
            let made = match running.provision(&serde_json::from_value(request)?).await? {
                Answer::Made(made) => made,
                Answer::Cannot { cannot } => return Err(cannot.into()),
            };
            let pair = format!("{}{}", *made.key, made.certificate);
            fs::write(folder.join(format!("customer-{customer}.pem")), pair)?;
        }
        let metrics = running.metrics_address().ok_or("no metrics")?;
        println!("{}\n{metrics}", running.directory_url());
        tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await??;
        running.shutdown().await;
        Ok(())
    })
}
