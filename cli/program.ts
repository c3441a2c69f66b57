import { Command } from 'commander'
import { type Act, addCommonOptions, type Register } from './command.ts'
import { registerBackup } from './commands/backup.ts'
import { registerCompletion } from './commands/completion.ts'
import { registerConfig } from './commands/config.ts'
import { registerConflicts } from './commands/conflicts.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerExport } from './commands/export.ts'
import { registerGet } from './commands/get.ts'
import { registerHelp } from './commands/help.ts'
import { registerHistory } from './commands/history.ts'
import { registerImport } from './commands/import.ts'
import { registerInit } from './commands/init.ts'
import { registerInvite } from './commands/invite.ts'
import { registerJoin } from './commands/join.ts'
import { registerKey } from './commands/key.ts'
import { registerLeave } from './commands/leave.ts'
import { registerLs } from './commands/ls.ts'
import { registerPeers } from './commands/peers.ts'
import { registerPut } from './commands/put.ts'
import { registerResolve } from './commands/resolve.ts'
import { registerRestore } from './commands/restore.ts'
import { registerRm } from './commands/rm.ts'
import { registerSearch } from './commands/search.ts'
import { registerSkill } from './commands/skill.ts'
import { registerStatus } from './commands/status.ts'
import { registerSync } from './commands/sync.ts'
import { registerToken } from './commands/token.ts'
import { registerWatch } from './commands/watch.ts'
import type { Surroundings } from './context.ts'
import { HELP_LAYOUT } from './help-layout.ts'
import { takesColor } from './output/index.ts'
import { packageVersion } from './version.ts'

const GROUPS: readonly (readonly [heading: string, commands: readonly Register[]])[] = [
  ['Memory and skills:', [registerPut, registerGet, registerLs, registerSearch, registerRm, registerSkill]],
  ['What it was, and who disagrees:', [registerHistory, registerConflicts, registerResolve, registerWatch]],
  ['In and out:', [registerImport, registerExport, registerBackup, registerRestore]],
  ['The mesh:', [registerInvite, registerJoin, registerLeave, registerPeers, registerSync]],
  ['This node:', [registerInit, registerStatus, registerDoctor, registerConfig, registerToken, registerKey]],
  ['This command:', [registerCompletion, registerHelp]],
]

/** The whole command line as one tree. It throws CommanderErrors and ends no process. */
export function createProgram(
  act: Act,
  { stdout, stderr, env }: Pick<Surroundings, 'stdout' | 'stderr' | 'env'>,
): Command {
  const program = new Command('mesh')
    .description('Shared memory and skills for OpenClaw gateways.')
    .version(packageVersion(), '-V, --version', 'the version of this command')
    .usage('<command> [options]')
    .exitOverride()
    .enablePositionalOptions()
    .helpCommand(false)
    .configureHelp(HELP_LAYOUT)
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      // Errors are told once, by whoever runs the program.
      outputError: () => {},
      getOutHelpWidth: () => stdout.columns ?? 80,
      getErrHelpWidth: () => stderr.columns ?? 80,
      getOutHasColors: () => takesColor(stdout, env),
      getErrHasColors: () => takesColor(stderr, env),
    })
  for (const [heading, commands] of GROUPS) {
    program.commandsGroup(heading)
    for (const register of commands) register(program, act)
  }
  addCommonOptions(program)
  program.addHelpText(
    'after',
    `
Start here:
  $ openclaw-meshd                    # the daemon; sets itself up on a first start
  $ mesh put plan "ship on Friday"
  $ mesh invite                       # then \`mesh join TICKET\` on the other machine

More: \`mesh help <command>\`, \`mesh help exit-codes\`, \`mesh help environment\``,
  )
  return program
}
