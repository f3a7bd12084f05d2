export const helpText = `kstate: live update for stateful Node.js services

  kstate run [options] -- COMMAND…            run a service under a supervisor
  kstate run --adopt [options] [-- COMMAND…]  take over one whose supervisor has ended; else start COMMAND
  kstate update [options] [-- COMMAND…]       replace it by its next version (the same command unless given)
  kstate rollback [options]                   replace it by its previous version, with the present state
  kstate commit                               end the previous version that stands by
  kstate suspend [--to CARRIER]               keep its state in a carrier, and end it
  kstate resume [-- COMMAND…]                 start it with the state that was kept, wherever that is
  kstate kexec --to CARRIER [options]         suspend it and reboot into another kernel, at once
  kstate status                               what runs, and how the last update went
  kstate history                              what has happened to it, also when it does not run
  kstate stop                                 end it
  kstate dev ENTRY                            run a program; every change of its sources is a live update

  kstate lock [ENTRY…]                        write the lock file: the descriptions as JSON, to be committed
  kstate check OLD [NEW]                      whether NEW loads what OLD saves, and OLD what NEW saves
  kstate compile [ENTRY…]                     write the code that saves and loads as a module
  kstate inspect STREAM                       what is in a saved stream
  kstate diff A B                             what differs between two saved streams
  kstate golden add|verify                    keep streams of released versions, and load them all

  --name NAME             which service; "default" unless given here or in KSTATE_NAME
  --memory SIZE           run: room for state and folios, 512M or 16G; used as needed (1G)
  --update-memory SIZE    run: an update needs so much beside a memory limit (as the program has for itself); 0: not looked at
  --to CARRIER            suspend, kexec: file:PATH, luo:SESSION, dax:PATH, or - for standard output (the state file)
  --from CARRIER          run: begin with the state that was kept there; - is standard input
  --for FILE              suspend, kexec: write what the program with this lock file reads, to go back to it
  --part-size SIZE        suspend: cut a file into parts, so that a copy of it can be resumed
  --stale-ok              run, resume: take a state that was resumed before; what happened since is lost
  --drop-collection NAME  run: begin without this collection of the state that was kept; may be repeated
  --kernel FILE           kexec: the next kernel (the running one's in /boot)
  --initrd FILE           kexec: its initial file system (as above; none with --kernel)
  --append TEXT           kexec: its command line (the running one's)
  --dry-run               kexec: say everything that would stop it, and do nothing
  --restart POLICY        run: start a program that ended again: on-failure, always, never (on-failure)
  --restart-limit N       run: give up after so many restarts in a row (5)
  --update-on SIGNAL      run: SIGHUP, SIGUSR1 or SIGUSR2 begins an update instead of going to the program
  --env KEY=VALUE         run, update: add to the next version's environment; may be repeated
  --env-file FILE         the same from a file of KEY=VALUE lines, read at each start: for secrets
  --force                 update: also if a rollback would then be refused, or lose state
  --boot-timeout MS       update, rollback: until the next version calls ready() (30000)
  --quiesce-timeout MS    update, rollback, suspend, kexec: for requests under way to end (1000)
  --freeze-timeout MS     update, rollback: until the next version has the state (5000); suspend: until it is kept (600000)
  --detached-timeout MS   suspend, kexec: for detached responses to finish (10000)
  --drop-stalled          update, rollback, suspend, kexec: when the time to quiesce is over, close connections that wait
                          for their clients alone: half a request, a response that is not taken
  --rehearse              update, rollback: let the next version check the live state before anybody waits
  --standby               update, rollback: keep the previous version booted, so that going back costs no boot
  --standby-timeout MS    the same, and for how long (600000)
  --limit N               history: the newest N entries (20)
  --json                  print the result as JSON; history: one object a line

dev and the last six have options of their own: kstate check --help.
Exit status: 0 done; 1 refused or failed, and the service goes on as it was; 2 could not be tried.`;
