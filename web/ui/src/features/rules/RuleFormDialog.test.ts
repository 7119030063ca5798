// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { DatastreamType } from '@/shared/api/types'
import { aDevice, aRule, aStream, text } from '@/shared/testing/fixtures'
import { at, choose, labelOf, mount, newStores, press, seeFaults, submit, type, unmount } from '@/shared/testing/dom'
import { aServer, refusal } from '@/shared/testing/server'
import RuleFormDialog from './RuleFormDialog.vue'

const types = [{ code: 'water_level', title: text('水位'), symbol: 'm' }, { code: 'rain', title: text('雨量'), symbol: 'mm' }] as DatastreamType[]
const devices = [aDevice({ datastreams: [aStream(7, { type: 'rain', title: text('雨量') })] })]

beforeEach(newStores)
afterEach(unmount)

test('a new rule: what cannot be sent stands at its field, then exactly the body', async () => {
  const calls = aServer({ 'POST /api/v1/rules': aRule() })
  const saved = vi.fn()
  await mount(RuleFormDialog, { rule: null, types, devices, onSaved: saved })
  expect([labelOf('rule-raise-1'), labelOf('rule-type')]).toEqual(['触发值', '监测项类型'])
  for (const level of [2, 3, 4]) await press(`rule-use-${level}`)
  expect(at('rule-raise-2').disabled).toBe(true)
  await type('rule-hold', '86401')
  await submit('rule-form')
  await seeFaults({ type: '必填', '1.raise': '必填', '1.clear': '必填', holdSeconds: '86401 不在 0 至 86400 之间' })
  await press('rule-use-1')
  await seeFaults({ type: '必填', holdSeconds: '86401 不在 0 至 86400 之间' })
  await press('rule-use-1')
  expect(calls).toEqual([])

  await type('rule-name-zh', '水位过高')
  await choose('rule-type', 'water_level')
  await type('rule-raise-1', '4.5')
  await type('rule-clear-1', '4')
  await type('rule-hold', '90')
  await seeFaults({})
  await submit('rule-form')
  await vi.waitFor(() => expect(saved).toHaveBeenCalled())
  expect(calls[0]!.body).toEqual({
    name: { zh: '水位过高', en: '' }, datastream_type: 'water_level', direction: 'above', thresholds: [{ level: 1, raise: 4.5, clear: 4 }], for_seconds: 0, hold_seconds: 90,
    enabled: true, origin: 'real',
  })
})

test('a rule for one datastream, and what the server finds in its levels', async () => {
  const calls = aServer({ 'PUT /api/v1/rules/1': refusal(422, { errors: [{ field: 'name.zh', code: 'required' }, { field: 'thresholds[0].clear', code: 'malformed' }] }) })
  await mount(RuleFormDialog, { rule: aRule(), types, devices })
  await press('rule-of-stream')
  await submit('rule-form')
  await seeFaults({ stream: '必填' })
  await type('rule-device', 'D1')
  await press('stream-D1-s7')
  await press('rule-below')
  await submit('rule-form')
  await seeFaults({ nameZh: '必填', '1.clear': '格式不符合要求' })
  expect(calls[0]!.body).toMatchObject({ datastream_type: 'rain', datastream_id: 7, direction: 'below' })
})
