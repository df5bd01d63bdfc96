//! The binary `actiongraph`.

fn main() -> std::process::ExitCode {
    actiongraph::cli::main()
}
