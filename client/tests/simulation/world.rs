//! One course of events.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use turmoil::Sim;

use crate::bank::{HOST, House};
use crate::chance::Chance;
use crate::check::{Broken, Reader, Registry, check, check_end};
use crate::design::Design;
use crate::machine::Machine;
use crate::plan::{TROUBLED, Trouble, Way};
use crate::time::{Elapsed, TICK};
use crate::trace::Trace;

/// Steps after which a machine that is left in peace must have come to its end.
const PEACE: u64 = 6_000;

/// The state of a machine's program is looked at this often, besides after every trouble.
const LOOK_EVERY: u64 = 20;

/// What came of a seed.
pub(crate) struct Course {
    pub(crate) trace: Vec<String>,
    pub(crate) faults: u64,
    pub(crate) requests: u64,
    pub(crate) broken: Option<Broken>,
}

/// What is done when a trouble is over.
#[derive(Clone, Copy)]
enum Relief {
    Machine(usize),
    Bank,
    Link(usize),
}

struct World<'a> {
    sim: Sim<'a>,
    machines: Vec<Arc<Machine>>,
    house: Rc<House>,
    registry: Registry,
    reader: Reader,
    elapsed: Elapsed,
    trace: Trace,
    chance: Chance,
    step: u64,
    reliefs: BTreeMap<u64, Vec<Relief>>,
    /// What a machine's next stop in the middle of an operation does: power, and how long it is down.
    stops: Vec<(Option<u64>, u64)>,
    up: Vec<bool>,
    bank_up: bool,
    /// Links that are cut (`false`) or held (`true`).
    links: Vec<Option<bool>>,
    faults: u64,
}

/// Runs the world of a seed to its end.
pub(crate) fn simulate(seed: u64, design: Design) -> Course {
    let mut world = World::of(seed, design);
    let broken = world.run(design).err();
    let requests = world.house.requests.get();
    Course { trace: world.trace.lines(), faults: world.faults, requests, broken }
}

impl World<'_> {
    fn of(seed: u64, design: Design) -> Self {
        let mut chance = Chance::new(seed);
        let elapsed = Elapsed::default();
        let trace = Trace::by(&elapsed);
        let mut sim = turmoil::Builder::new()
            .rng_seed(chance.next())
            .tick_duration(TICK)
            .simulation_duration(Duration::from_hours(24))
            .min_message_latency(Duration::ZERO)
            .max_message_latency(TICK * u32::try_from(chance.between(1, 6)).unwrap())
            .build();
        let house = Rc::new(House::new(&mut chance, &elapsed, &trace));
        let registry = Registry::open(&house.database());
        let open = Rc::clone(&house);
        sim.host(HOST, move || Rc::clone(&open).serve());
        // The broken designs know nothing of a second machine.
        let library = matches!(design, Design::Koshin | Design::NoSync | Design::SyncAgain);
        let count = if library && chance.once_in(3) { 2 } else { 1 };
        let mut machines = Vec::new();
        for name in ["desk", "agent"].into_iter().take(count) {
            let machine = Arc::new(Machine::new(name, design, &mut chance, &elapsed, &trace));
            let living = Arc::clone(&machine);
            sim.host(name, move || Arc::clone(&living).live());
            machines.push(machine);
        }
        Self {
            sim,
            stops: vec![(None, 1); count],
            up: vec![true; count],
            links: vec![None; count],
            machines,
            house,
            registry,
            reader: Reader::default(),
            elapsed,
            trace,
            chance,
            step: 0,
            reliefs: BTreeMap::new(),
            bank_up: true,
            faults: 0,
        }
    }

    fn run(&mut self, design: Design) -> Result<(), Broken> {
        let mut troubles =
            Trouble::several(&mut self.chance, self.machines.len()).into_iter().peekable();
        while self.step < TROUBLED {
            while let Some((_, trouble)) = troubles.next_if(|(step, _)| *step == self.step) {
                self.begin(trouble);
                self.check()?;
            }
            self.go_on()?;
        }
        self.mend();
        if !matches!(design, Design::Koshin | Design::NoSync | Design::SyncAgain) {
            return Ok(());
        }
        let last = self.step + PEACE;
        while self.machines.iter().any(|machine| machine.end().is_none()) {
            if self.step >= last {
                return Err(Broken::End(
                    "left in peace, a machine does not come to its end".to_owned(),
                ));
            }
            self.go_on()?;
        }
        self.check()?;
        check_end(&self.machines, &self.registry, &mut self.reader)
    }

    /// One step, and what it calls for.
    fn go_on(&mut self) -> Result<(), Broken> {
        for relief in self.reliefs.remove(&self.step).unwrap_or_default() {
            self.relieve(relief);
        }
        let stepped = self.sim.step();
        stepped.map_err(|error| Broken::End(format!("a program failed: {error}")))?;
        self.elapsed.set(self.sim.elapsed());
        self.step += 1;
        let mut look = self.step.is_multiple_of(LOOK_EVERY);
        for at in 0..self.machines.len() {
            if self.up[at] && self.machines[at].disk.is_stopped() {
                let (power, down) = self.stops[at];
                self.kill(at, power, down);
                look = true;
            }
        }
        if look { self.check() } else { Ok(()) }
    }

    fn check(&mut self) -> Result<(), Broken> {
        let seed = self.chance.between(1, 9);
        check(&self.machines, &self.registry, &mut self.reader, seed)
    }

    fn begin(&mut self, trouble: Trouble) {
        self.faults += 1;
        self.trace.line(format_args!("{trouble:?}"));
        if let Some((machine, operations, fault)) = trouble.of_disk()
            && self.up[machine]
        {
            self.machines[machine].disk.plan(operations, fault);
        }
        match trouble {
            Trouble::Kill { machine, power, down } => {
                if self.up[machine] {
                    self.kill(machine, power, down);
                }
            }
            Trouble::Stop { machine, power, down, .. } => self.stops[machine] = (power, down),
            Trouble::Fail { .. } => {}
            Trouble::KillBank { down } => {
                if self.bank_up {
                    self.sim.crash(HOST);
                    self.bank_up = false;
                    self.later(down, Relief::Bank);
                }
            }
            Trouble::Cut { machine, way, steps } => self.cut(machine, way, steps),
            Trouble::Hold { machine, steps } => {
                if self.links[machine].is_none() {
                    self.sim.hold(self.machines[machine].name, HOST);
                    self.links[machine] = Some(true);
                    self.later(steps, Relief::Link(machine));
                }
            }
            Trouble::Clock { machine, ahead } => {
                self.machines[machine].ahead.store(ahead, Ordering::SeqCst);
            }
        }
    }

    fn cut(&mut self, machine: usize, way: Way, steps: u64) {
        if self.links[machine].is_some() {
            return;
        }
        let name = self.machines[machine].name;
        match way {
            Way::Both => self.sim.partition(name, HOST),
            Way::ToBank => self.sim.partition_oneway(name, HOST),
            Way::FromBank => self.sim.partition_oneway(HOST, name),
        }
        self.links[machine] = Some(false);
        self.later(steps, Relief::Link(machine));
    }

    fn kill(&mut self, machine: usize, power: Option<u64>, down: u64) {
        let killed = Arc::clone(&self.machines[machine]);
        self.trace.line(format_args!("{} is killed, power {power:?}", killed.name));
        self.sim.crash(killed.name);
        match power {
            None => killed.disk.restart(),
            Some(seed) => killed.disk.lose_power(seed),
        }
        self.up[machine] = false;
        self.later(down, Relief::Machine(machine));
    }

    fn later(&mut self, steps: u64, relief: Relief) {
        self.reliefs.entry(self.step + steps).or_default().push(relief);
    }

    fn relieve(&mut self, relief: Relief) {
        match relief {
            Relief::Machine(machine) => {
                if !self.up[machine] {
                    self.trace.line(format_args!("{} begins again", self.machines[machine].name));
                    self.sim.bounce(self.machines[machine].name);
                    self.up[machine] = true;
                }
            }
            Relief::Bank => {
                if !self.bank_up {
                    self.trace.line("the bank begins again");
                    self.sim.bounce(HOST);
                    self.bank_up = true;
                }
            }
            Relief::Link(machine) => {
                let name = self.machines[machine].name;
                match self.links[machine].take() {
                    Some(true) => self.sim.release(name, HOST),
                    Some(false) => self.sim.repair(name, HOST),
                    None => {}
                }
            }
        }
    }

    /// Nothing goes wrong any more: what is down begins again, what is cut is repaired. Clocks stay as they are.
    fn mend(&mut self) {
        self.trace.line("peace");
        self.reliefs.clear();
        self.relieve(Relief::Bank);
        for at in 0..self.machines.len() {
            self.machines[at].disk.count();
            self.machines[at].mend();
            self.relieve(Relief::Link(at));
            self.relieve(Relief::Machine(at));
        }
    }
}
