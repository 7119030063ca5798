// What somebody is typing, kept for this tab: a lost session, a reload for a new version or a change of the
// alert meanwhile must not cost a sentence.

import { customRef, toValue, type MaybeRefOrGetter, type Ref } from 'vue'

const prefix = 'onemap.draft.'

/** A text kept under a name, as "alert.58.resolve"; setting it to '' forgets it. The name may change. */
export function useDraft(name: MaybeRefOrGetter<string>): Ref<string> {
  return customRef((track, trigger) => ({
    get() {
      track()
      return sessionStorage.getItem(prefix + toValue(name)) ?? ''
    },
    set(text) {
      if (text) sessionStorage.setItem(prefix + toValue(name), text)
      else sessionStorage.removeItem(prefix + toValue(name))
      trigger()
    },
  }))
}

/** Forgets every draft: another person uses the tab now. */
export function forgetDrafts(): void {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(prefix)) sessionStorage.removeItem(key)
}
