import { expect, test } from 'vitest'
import type { Rule } from '@/shared/api/types'
import { bodyOf, emptyForm, formFaults, formFieldOf, formOf, preview, type RuleForm } from './ruleform'

function form(values: [string, string][], direction: 'above' | 'below' = 'above'): RuleForm {
  const f = { ...emptyForm(), nameZh: '水位', type: 'water_level', direction }
  f.rows = f.rows.map((row, i) => ({ ...row, used: i < values.length, raise: values[i]?.[0] ?? '', clear: values[i]?.[1] ?? '' }))
  return f
}
const faults = (f: RuleForm) => Object.fromEntries(formFaults(f))

test('what can be sent has no faults; whether the levels fit together is left to the server', () => {
  expect(faults(form([['4.5', '4.3'], ['4', '3.8'], ['3.5', '3.3'], ['3', '2.8']]))).toEqual({})
  expect(faults(form([['4', '4']]))).toEqual({})
  expect(faults({ ...form([['4', '3']]), nameZh: '' })).toEqual({})
})

test('a level that is not used is not sent, and nothing is wrong with it', () => {
  const f = form([['4', '3'], ['x', ''], ['3.5', '2']])
  f.rows[1]!.used = false
  expect(faults(f)).toEqual({})
  expect(bodyOf(f).thresholds.map((x) => x.level)).toEqual([1, 3])
})

test('what cannot be sent is said by the limits of the schema', () => {
  const f = { ...emptyForm(), forSeconds: '1.5', holdSeconds: '86401' }
  f.rows = f.rows.map((row) => ({ ...row, used: false }))
  expect(faults(f)).toEqual({ type: '必填', forSeconds: '应为整数', holdSeconds: '86401 不在 0 至 86400 之间', levels: '有 0 个级别，规则应有 1 至 4 个' })
  expect(faults({ ...form([['4', '3']]), scope: 'stream' })).toEqual({ stream: '必填' })
  expect(faults({ ...form([['', '3'], ['x', '1']]), forSeconds: '' })).toEqual({ '1.raise': '必填', '2.raise': '应为有限的数字', forSeconds: '必填' })
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
