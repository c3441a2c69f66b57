import { explain, type Register } from '../command.ts'
import { registerSkillGet } from './skill-get.ts'
import { registerSkillLs } from './skill-ls.ts'
import { registerSkillPut } from './skill-put.ts'
import { registerSkillRm } from './skill-rm.ts'

/** `mesh skill …` */
export const registerSkill: Register = (parent, act) => {
  const skill = parent
    .command('skill')
    .alias('skills')
    .summary('put, get, list, remove skills')
    .description('Skills: SKILL.md documents that every machine of the mesh gets.')
    .helpCommand(false)
    .usage('<command> [options]')
  for (const register of [registerSkillPut, registerSkillGet, registerSkillLs, registerSkillRm]) register(skill, act)
  explain(skill, ['mesh skill put ./skills/weather', 'mesh skill ls', 'mesh skill get weather > SKILL.md'])
}
