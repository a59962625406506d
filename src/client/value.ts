/** What the log holds for an application; it comes back deep-equal. bigints have 64 bits. */
export type Value =
  | null
  | boolean
  | number
  | string
  | bigint
  | Uint8Array
  | readonly Value[]
  | { readonly [key: string]: Value };
