import { afterEach, expect, test } from 'vitest'
import { setLanguage } from '@/shared/i18n'
import { noteText } from './auditnote'

afterEach(() => setLanguage('zh'))

test('a note of the system is shown in the reader’s language alone, one of a person as it was written', () => {
  const own = { actor: '', note: '数据中断 90 s，级别保持 / no data for 90 s, the level is kept' }
  const person = { actor: 'r370602', note: '已到场 / 两辆车' }
  expect(noteText(own)).toBe('数据中断 90 s，级别保持')
  expect(noteText(person)).toBe(person.note)
  setLanguage('en')
  expect(noteText(own)).toBe('no data for 90 s, the level is kept')
  expect(noteText(person)).toBe(person.note)
  expect(noteText({ actor: '', note: 'one language' })).toBe('one language')
})
