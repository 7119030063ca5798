import { afterEach, expect, test } from 'vitest'
import type { Audit } from '@/shared/api/types'
import { setLanguage } from '@/shared/i18n'
import { transition } from './transition'

afterEach(() => setLanguage('zh'))
const step = (over: Partial<Audit>): Audit => ({ id: 1, at: '', actor: '', division: '', step: 'updated', before: '', after: '', note: '', level: 0, ...over })

test('a line of the history says from what to what', () => {
  expect(transition(step({ before: 'firing yellow', after: 'firing orange' }), 'mm/h')).toBe('黄 → 橙')
  expect(transition({ ...step({ before: 'firing yellow', after: 'firing orange' }), value: 57.2 }, 'mm/h')).toBe('黄 → 橙 57.2 mm/h')
  expect(transition(step({ step: 'issued', after: 'firing red' }), '')).toBe('红')
  expect(transition(step({ before: 'firing red', after: 'cleared blue' }), '')).toBe('红 → 蓝 触发中 → 已解除')
  expect(transition(step({ actor: 'c', step: 'acknowledge', before: 'new', after: 'acknowledged', level: 4 }), '')).toBe('未确认 → 已确认 蓝色时')
  setLanguage('en')
  expect(transition(step({ before: 'firing yellow', after: 'stale yellow' }), '')).toBe('Firing → Data stopped')
})

test('what it does not know it leaves out', () => {
  expect(transition(step({ before: 'odd', after: 'odder' }), '')).toBe('')
  expect(transition(step({}), '')).toBe('')
})
