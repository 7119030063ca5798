import { expect, test } from 'vitest'
import type { Rule } from '@/shared/api/types'
import { bodyOf, check, emptyForm, formFieldOf, formOf, numberOf, preview, type RuleForm } from './ruleform'

const names = (level: number) => `L${level}`

function form(values: [string, string][], direction: 'above' | 'below' = 'above'): RuleForm {
  const f = { ...emptyForm(), nameZh: '水位', type: 'water_level', direction }
  f.rows = f.rows.map((row, i) => ({ ...row, used: i < values.length, raise: values[i]?.[0] ?? '', clear: values[i]?.[1] ?? '' }))
  return f
}
const faults = (f: RuleForm) => Object.fromEntries([...check(f, names)].map(([field, fault]) => [field, fault.key.replace('ruleError.', '')]))

test('a good rule has no faults, in either direction', () => {
  expect(faults(form([['4.5', '4.3'], ['4', '3.8'], ['3.5', '3.3'], ['3', '2.8']]))).toEqual({})
  expect(faults(form([['1', '2'], ['3', '4']], 'below'))).toEqual({})
  expect(faults(form([['-5', '-6.5']]))).toEqual({})
})

test('the clear values of two levels may be the same', () => {
  expect(faults(form([['4.5', '3'], ['4', '3']]))).toEqual({})
})

test('clear stays on the safe side of raise', () => {
  expect(faults(form([['4', '4']]))).toEqual({ '1.clear': 'hysteresisAbove' })
  expect(faults(form([['4', '3']], 'below'))).toEqual({ '1.clear': 'hysteresisBelow' })
})

test('each level is safer than the worse one', () => {
  expect(faults(form([['4', '3'], ['4', '3']]))).toEqual({ '2.raise': 'raiseAbove' })
  expect(faults(form([['4', '3'], ['3.9', '3.5']]))).toEqual({ '2.clear': 'clearAbove' })
  expect(faults(form([['4', '5'], ['3', '4.5']], 'below'))).toEqual({ '2.raise': 'raiseBelow', '2.clear': 'clearBelow' })
})

test('a level that is not used is passed over', () => {
  const f = form([['4', '3'], ['9', '9'], ['3.5', '2']])
  f.rows[1]!.used = false
  expect(faults(f)).toEqual({})
  expect(bodyOf(f).thresholds.map((x) => x.level)).toEqual([1, 3])
})

test('what is missing is said', () => {
  const f = { ...emptyForm(), forSeconds: '1.5', holdSeconds: '86401' }
  f.rows = f.rows.map((row) => ({ ...row, used: false }))
  expect(faults(f)).toEqual({ nameZh: 'nameMissing', type: 'typeMissing', forSeconds: 'forRange', holdSeconds: 'forRange', levels: 'noLevel' })
  expect(faults({ ...form([['4', '3']]), scope: 'stream' })).toEqual({ stream: 'streamMissing' })
  expect(faults(form([['', '3'], ['x', '1']]))).toEqual({ '1.raise': 'number', '2.raise': 'number' })
  expect(faults({ ...form([['4', '3']]), nameZh: '长'.repeat(101), nameEn: 'x'.repeat(101) })).toEqual({ nameZh: 'nameLong', nameEn: 'nameLong' })
})

test('a number is a number, an empty field is none', () => {
  expect([' 1.5 ', '-2', '1e3', 7].map(numberOf)).toEqual([1.5, -2, 1000, 7])
  expect(['', ' ', '1,5', 'Infinityx'].map((s) => Number.isNaN(numberOf(s)))).toEqual([true, true, true, true])
})

test('what the server refuses stands at the field that the form has for it', () => {
  const f = form([['4', '3'], ['2', '1']])
  f.rows[0]!.used = false
  const at = (field: string) => formFieldOf(field, f)
  expect([at('name.zh'), at('for_seconds'), at('thresholds[0].raise'), at('thresholds[0].level'), at('thresholds[7].clear'), at('origin')]).toEqual(['nameZh', 'forSeconds', '2.raise', 'levels', 'levels', ''])
  expect([at('datastream_id'), formFieldOf('datastream_type', { ...f, scope: 'stream' })]).toEqual(['type', 'stream'])
})

test('a rule survives the form', () => {
  const rule: Rule = {
    id: 3, name: { zh: '甲', en: 'A' }, datastream_type: 'rain', datastream_id: 9, direction: 'below',
    thresholds: [{ level: 2, raise: 1, clear: 2 }], for_seconds: 60, hold_seconds: 0, enabled: false, origin: 'schematic', version: 4, updated_at: '', updated_by: '',
  }
  expect(bodyOf(formOf(rule), rule)).toEqual({
    name: rule.name, datastream_type: 'rain', datastream_id: 9, direction: 'below', thresholds: rule.thresholds,
    for_seconds: 60, hold_seconds: 0, enabled: false, origin: 'schematic',
  })
})

test('the preview is open at the dangerous end', () => {
  const bands = preview(form([['4', '3'], ['2', '1']]))
  expect(bands.map((b) => [b.level, b.to])).toEqual([[1, 100], [2, bands[0]!.from]])
  expect(preview(form([['1', '2']], 'below'))[0]!.from).toBe(0)
  expect(preview(form([['', '']]))).toEqual([])
})
