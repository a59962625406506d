/**
 * Settings of fast-check for every test file.
 *
 * Why: fast-check draws at most about ten elements unless a size is named, whatever `maxLength`
 * says. A property over "up to 70 bytes" would never see a whole block of 16. With this setting a
 * stated maximum is reached.
 */
import fc from "fast-check";

fc.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true });
