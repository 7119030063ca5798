// What the forms share: one list of what is wrong, found by the form before it is sent and by the server after that, and
// shown at the field by the rules of Element Plus.

import type { FormInstance, FormItemRule } from 'element-plus'
import { computed, inject, nextTick, provide, ref, shallowRef, watch, type InjectionKey, type Ref } from 'vue'
import { fieldFaults, isOutdated, problemText, standsAtFields } from '@/shared/api/problems'

interface Options {
  /** What of the form cannot be sent, by the names of its fields. An empty fault is none. */
  faults: () => Iterable<readonly [field: string, fault: string]>
  /** Sends the form. It is not called while the form has faults. */
  send: () => Promise<void>
  /** The field of the form for a field of the body; '' if the form does not have it. */
  fieldOf: (field: string) => string
  /** The words for a refusal that stands at no field. */
  words?: (error: unknown) => string
}

/** What the parts of a form read of it. */
export interface FormState {
  /** Takes the form of Element Plus, as its ref. */
  bind: (form: unknown) => void
  busy: Ref<boolean>
  /** What is wrong and stands at no field; '' is nothing. */
  problem: Ref<string>
  /** Whether somebody else changed the same thing first. */
  outdated: Ref<boolean>
  fault: (field: string) => string
  submit: () => Promise<void>
}

const key: InjectionKey<FormState> = Symbol('form')

/** The state of a form for the component that draws it. The parts of the form find it by useFields. */
export function useForm({ faults, send, fieldOf, words = problemText }: Options) {
  const instance = ref<FormInstance>()
  const tried = ref(false)
  const busy = ref(false)
  const error = shallowRef<unknown>(null)
  const all = computed(() => {
    const found = new Map<string, string>()
    for (const [field, fault] of fieldFaults(error.value)) found.set(fieldOf(field), fault)
    if (tried.value) for (const [field, fault] of faults()) if (fault) found.set(field, fault)
    return found
  })
  const elsewhere = computed(() => error.value !== null && !standsAtFields(error.value, (f) => fieldOf(f) !== ''))
  const problem = computed(() => (elsewhere.value ? words(error.value) : ''))
  const outdated = computed(() => isOutdated(error.value))
  const fault = (field: string) => all.value.get(field) ?? ''

  /** Moves the focus to the first field at fault. */
  async function focusFault() {
    await nextTick()
    const root = instance.value?.$el as HTMLElement | undefined
    root?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
  }
  let shown: Promise<unknown> = Promise.resolve()
  /** Shows the faults. One after the other: a form of Element Plus that is asked twice at once may empty a field. */
  const show = () => (shown = shown.then(() => instance.value?.validate().catch(() => undefined)))
  async function submit() {
    if (busy.value) return
    tried.value = true
    if ([...faults()].some(([, text]) => text)) return focusFault()
    busy.value = true
    error.value = null
    try {
      await send()
    } catch (cause) {
      error.value = cause
      await focusFault()
    } finally {
      busy.value = false
    }
  }
  // A fault may come and go by the value of another field, so all rules are asked again; a field that is new is drawn first.
  watch(all, () => void nextTick(show))
  const bind = (form: unknown) => (instance.value = (form as FormInstance | null) ?? undefined)
  const state: FormState = { bind, busy, problem, outdated, fault, submit }
  provide(key, state)
  return { ...state, instance, error }
}

/** The form around a part of it; a form without a state, such as a filter, has no faults. */
export function useFields() {
  const form = inject(key, null)
  const fault = (field: string) => form?.fault(field) ?? ''
  /** The rule of a field. It is asked by the form alone: nothing is wrong with a field while somebody types into it. */
  const rule = (field: string): FormItemRule[] => (form ? [{ trigger: 'submit', validator: (_rule, _value, done) => done(fault(field) || undefined) }] : [])
  return { form, fault, rule }
}

/** A choice of a select. */
export interface Choice<V> {
  value: V
  label: string
}
