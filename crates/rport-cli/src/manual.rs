//! Keeps the reference page `docs/rportcli.md` true: its lower part is made from the command line itself.

mod tests;
