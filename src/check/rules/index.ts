import type { Rule } from "../finding.ts";
import { checkCodeChanged } from "./check-code-changed.ts";
import { codeChanged } from "./code-changed.ts";
import { conditionChanged } from "./condition-changed.ts";
import { customFormatChanged } from "./custom-format-changed.ts";
import { defaultChanged } from "./default-changed.ts";
import { defaultMissing } from "./default-missing.ts";
import { descriptionRemoved } from "./description-removed.ts";
import { descriptionRenamed } from "./description-renamed.ts";
import { enumerationChanged } from "./enumeration-changed.ts";
import { enumerationExtended } from "./enumeration-extended.ts";
import { fieldInserted } from "./field-inserted.ts";
import { fieldKindChanged } from "./field-kind-changed.ts";
import { fieldLost } from "./field-lost.ts";
import { fieldMoved } from "./field-moved.ts";
import { fieldNotWrittenBack } from "./field-not-written-back.ts";
import { fieldRemoved } from "./field-removed.ts";
import { fieldRenamed } from "./field-renamed.ts";
import { fieldVersionsChanged } from "./field-versions-changed.ts";
import { fieldWidthChanged } from "./field-width-changed.ts";
import { idChanged } from "./id-changed.ts";
import { idReused } from "./id-reused.ts";
import { inPlaceLayoutChanged } from "./in-place-layout-changed.ts";
import { keptStreamsRefused } from "./kept-streams-refused.ts";
import { layoutChanged } from "./layout-changed.ts";
import { limitChanged } from "./limit-changed.ts";
import { minimumRaised } from "./minimum-raised.ts";
import { neededChanged } from "./needed-changed.ts";
import { noCommonVersion } from "./no-common-version.ts";
import { rangeChanged } from "./range-changed.ts";
import { retypedWithoutLoad } from "./retyped-without-load.ts";
import { rollbackNotWritable } from "./rollback-not-writable.ts";
import { sectionWithdrawn } from "./section-withdrawn.ts";
import { subsectionAdded } from "./subsection-added.ts";
import { subsectionRemoved } from "./subsection-removed.ts";
import { variantsChanged } from "./variants-changed.ts";
import { variantsExtended } from "./variants-extended.ts";
import { versionLowered } from "./version-lowered.ts";
import { versionOutOfBounds } from "./version-out-of-bounds.ts";

/** All rules, those about whole descriptions first. An id may be added, never renamed or used for something else. */
export const rules: readonly Rule[] = [
  idChanged,
  idReused,
  descriptionRenamed,
  descriptionRemoved,
  sectionWithdrawn,
  versionOutOfBounds,
  versionLowered,
  minimumRaised,
  noCommonVersion,
  fieldKindChanged,
  fieldWidthChanged,
  fieldMoved,
  fieldRemoved,
  fieldInserted,
  fieldRenamed,
  fieldVersionsChanged,
  conditionChanged,
  customFormatChanged,
  enumerationChanged,
  variantsChanged,
  layoutChanged,
  rollbackNotWritable,
  fieldLost,
  retypedWithoutLoad,
  subsectionRemoved,
  limitChanged,
  rangeChanged,
  enumerationExtended,
  variantsExtended,
  defaultMissing,
  neededChanged,
  keptStreamsRefused,
  fieldNotWrittenBack,
  subsectionAdded,
  defaultChanged,
  checkCodeChanged,
  codeChanged,
  inPlaceLayoutChanged,
];
