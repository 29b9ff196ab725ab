"""The standard objects of the organisation, one line a field.

``Name type(length) flags > Target as Relationship = picklist;values``. Flags: ``c`` createable, ``u`` updateable,
``!`` required, ``d`` has a default, ``x`` cannot be filtered, ``R`` restricted picklist. Read-only fields have no c, u.
Compiled from the vendor's object reference and public describes of these objects.
"""

_SYSTEM = """
  CreatedDate datetime d
  CreatedById reference d > User as CreatedBy
  LastModifiedDate datetime d
  LastModifiedById reference d > User as LastModifiedBy
  SystemModstamp datetime d
"""
_DELETABLE = """
  IsDeleted boolean d
"""
_HISTORY = """
  IsDeleted boolean d
  CreatedById reference d > User as CreatedBy
  CreatedDate datetime d
  Field picklist(255) d
  DataType picklist(40)
  OldValue anyType(255) x
  NewValue anyType(255) x
"""
_ACTIVITY = """
  WhoId reference cu > Contact,Lead as Who
  WhatId reference cu > Opportunity,Account as What
  Subject combobox(255) cu = Call;Email;Send Letter;Send Quote;Other
  OwnerId reference cud > User,Group as Owner
  Description textarea(32000) cux
  AccountId reference - > Account as Account
  IsArchived boolean d
  IsReminderSet boolean cud
  ReminderDateTime datetime cu
"""
_PERSON = """
  Phone phone(40) cu
  MobilePhone phone(40) cu
  Email email(80) cu
  Title string(128) cu
"""

OBJECTS = {
    "Account 001 Account": """
  Name string(255) cu!
  Type picklist(40) cu = Prospect;Customer - Direct;Customer - Channel;Other
  ParentId reference cu > Account as Parent
  MasterRecordId reference - > Account as MasterRecord
  BillingStreet textarea(255) cu
  BillingCity string(40) cu
  BillingPostalCode string(20) cu
  BillingCountry string(80) cu
  Phone phone(40) cu
  AccountNumber string(40) cu
  Website url(255) cu
  Industry picklist(40) cu = Banking;Consulting;Education;Energy;Healthcare;Media;Retail;Technology;Other
  AnnualRevenue currency(18.0) cu
  NumberOfEmployees int(8.0) cu
  Description textarea(32000) cux
  Site string(80) cu
  OwnerId reference cud > User as Owner
  LastActivityDate date
"""
    + _DELETABLE
    + _SYSTEM,
    "Contact 003 Contact": """
  AccountId reference cu > Account as Account
  MasterRecordId reference - > Contact as MasterRecord
  LastName string(80) cu!
  FirstName string(40) cu
  Salutation picklist(40) cu = Mr.;Ms.;Mrs.;Dr.;Prof.;Mx.
  Name string(121) d
"""
    + _PERSON
    + """
  Department string(80) cu
  ReportsToId reference cu > Contact as ReportsTo
  MailingCity string(40) cu
  MailingCountry string(80) cu
  LeadSource picklist(255) cu = Web;Phone Inquiry;Partner Referral;Purchased List;Other
  Description textarea(32000) cux
  OwnerId reference cud > User as Owner
  HasOptedOutOfEmail boolean cud
  DoNotCall boolean cud
  EmailBouncedReason string(255) cu
  EmailBouncedDate datetime cu
  IsEmailBounced boolean d
  LastActivityDate date
"""
    + _DELETABLE
    + _SYSTEM,
    "Opportunity 006 Opportunity": """
  AccountId reference cu > Account as Account
  RecordTypeId reference cud > RecordType as RecordType
  IsPrivate boolean cud
  Name string(120) cu!
  Description textarea(32000) cux
  StageName picklist(255) cu!
  Amount currency(16.2) cu
  Probability percent(3.0) cud
  CloseDate date cu!
  Type picklist(255) cu = Existing Customer - Renewal;Existing Customer - Upgrade;New Customer
  NextStep string(255) cu
  LeadSource picklist(255) cu = Web;Phone Inquiry;Partner Referral;Purchased List;Other
  IsClosed boolean d
  IsWon boolean d
  ForecastCategoryName picklist(255) dR = Omitted;Pipeline;Best Case;Commit;Closed
  OwnerId reference cud > User as Owner
  ContactId reference c > Contact as
  LastActivityDate date
  LastStageChangeDate datetime
  FiscalYear int(4.0)
"""
    + _DELETABLE
    + _SYSTEM,
    "OpportunityContactRole 00K Opportunity Contact Role": """
  OpportunityId reference c! > Opportunity as Opportunity
  ContactId reference cu! > Contact as Contact
  Role picklist(40) cu = Business User;Decision Maker;Economic Buyer;Executive Sponsor;Influencer;Technical Buyer;Other
  IsPrimary boolean cud
"""
    + _DELETABLE
    + _SYSTEM,
    "OpportunityTeamMember 00q Opportunity Team Member": """
  OpportunityId reference c! > Opportunity as Opportunity
  UserId reference c! > User as User
  TeamMemberRole picklist(40) cu = Account Manager;Executive Sponsor;Pre-Sales Consultant;Sales Manager;Sales Rep
  OpportunityAccessLevel picklist(40) cud = Read;Edit
"""
    + _DELETABLE
    + _SYSTEM,
    "AccountTeamMember 01M Account Team Member": """
  AccountId reference c! > Account as Account
  UserId reference c! > User as User
  TeamMemberRole picklist(40) cu = Account Manager;Executive Sponsor;Pre-Sales Consultant;Sales Manager;Sales Rep
  AccountAccessLevel picklist(40) cud = Read;Edit
"""
    + _DELETABLE
    + _SYSTEM,
    "OpportunityStage 01J Opportunity Stage": """
  MasterLabel string(255)
  ApiName string(255)
  IsActive boolean
  SortOrder int(9.0)
  IsClosed boolean
  IsWon boolean
  ForecastCategoryName picklist(40)
  DefaultProbability percent(3.0)
  Description string(255)
"""
    + _SYSTEM,
    "OpportunityHistory 008 Opportunity History": """
  OpportunityId reference - > Opportunity as Opportunity
  CreatedById reference d > User as CreatedBy
  CreatedDate datetime d
  StageName picklist(255)
  Amount currency(16.2)
  ExpectedRevenue currency(16.2)
  CloseDate date
  Probability percent(3.0)
  ForecastCategory picklist(40)
  PrevAmount currency(16.2)
  PrevCloseDate date
  SystemModstamp datetime d
  IsDeleted boolean d
""",
    "OpportunityFieldHistory 017 Opportunity Field History": """
  OpportunityId reference - > Opportunity as Opportunity
"""
    + _HISTORY,
    "AccountHistory 017 Account History": """
  AccountId reference - > Account as Account
"""
    + _HISTORY,
    "ContactHistory 017 Contact History": """
  ContactId reference - > Contact as Contact
"""
    + _HISTORY,
    "Task 00T Task": _ACTIVITY
    + """
  ActivityDate date cu
  Status picklist(255) cud
  Priority picklist(255) cud = High;Normal;Low
  IsHighPriority boolean
  Type picklist(40) cu = Call;Email;Meeting;Other
  IsClosed boolean d
  CompletedDateTime datetime
  TaskSubtype picklist(40) cR = Task;Email;ListEmail;Cadence;Call
  CallDurationInSeconds int(8.0) cu
  CallObject string(255) cu
  CallDisposition string(255) cu
  IsRecurrence boolean cd
"""
    + _DELETABLE
    + _SYSTEM,
    "Event 00U Event": _ACTIVITY
    + """
  Location string(255) cu
  IsAllDayEvent boolean cud
  ActivityDateTime datetime cu
  ActivityDate date cu
  DurationInMinutes int(8.0) cu
  StartDateTime datetime cu
  EndDateTime datetime cu
"""
    + _DELETABLE
    + _SYSTEM,
    "TaskStatus 01Q Task Status Value": """
  MasterLabel string(255)
  ApiName string(255)
  SortOrder int(9.0)
  IsDefault boolean
  IsClosed boolean
"""
    + _SYSTEM,
    "TaskPriority 05N Task Priority Value": """
  MasterLabel string(255)
  ApiName string(255)
  SortOrder int(9.0)
  IsDefault boolean
  IsHighPriority boolean
"""
    + _SYSTEM,
    "User 005 User": """
  Username string(80)
  LastName string(80)
  FirstName string(40)
  Name string(121)
  Email email(128)
  Title string(80)
  Department string(80)
  IsActive boolean d
  TimeZoneSidKey picklist(40)
  LocaleSidKey picklist(40)
  LanguageLocaleKey picklist(40)
  UserType picklist(40)
  Alias string(8)
  ManagerId reference - > User as Manager
  ProfileId reference - > Profile as Profile
"""
    + _SYSTEM,
    "Profile 00e Profile": "  Name string(255)\n  UserType picklist(40)\n" + _SYSTEM,
    "Group 00G Group": """
  Name string(40)
  DeveloperName string(80)
  Type picklist(40)
  Email email(255)
"""
    + _SYSTEM,
    "RecordType 012 Record Type": """
  Name string(80)
  DeveloperName string(80)
  SobjectType picklist(40)
  IsActive boolean d
  Description string(255)
"""
    + _SYSTEM,
    "Organization 00D Organization": """
  Name string(80)
  InstanceName string(5)
  IsSandbox boolean
  OrganizationType picklist(40)
  LanguageLocaleKey picklist(40)
  TimeZoneSidKey picklist(40)
  TrialExpirationDate datetime
  NamespacePrefix string(15)
"""
    + _SYSTEM,
    "ContentVersion 068 Content Version": """
  ContentDocumentId reference c > ContentDocument as ContentDocument
  IsLatest boolean
  Title string(255) cu
  Description textarea(1000) cux
  ReasonForChange string(1000) cu
  PathOnClient string(500) c!
  VersionNumber string(20)
  VersionData base64 cx
  FirstPublishLocationId reference c > Opportunity,Account,Contact,Task,User as FirstPublishLocation
  ContentSize int(9.0)
  FileType string(20)
  FileExtension string(40)
  Checksum string(50)
  OwnerId reference cud > User as Owner
"""
    + _DELETABLE
    + _SYSTEM,
    "ContentDocument 069 Content Document": """
  Title string(255)
  LatestPublishedVersionId reference - > ContentVersion as LatestPublishedVersion
  ContentSize int(9.0)
  FileType string(20)
  FileExtension string(40)
  OwnerId reference d > User as Owner
"""
    + _DELETABLE
    + _SYSTEM,
    "ContentNote 069 Content Note": """
  Title string(255) cu!
  Content base64 cx
  ContentSize int(9.0)
  FileType string(20)
  TextPreview string(255) x
  LatestPublishedVersionId reference - > ContentVersion as LatestPublishedVersion
  OwnerId reference cud > User as Owner
"""
    + _DELETABLE
    + _SYSTEM,
    "ContentDocumentLink 06A Content Document Link": """
  LinkedEntityId reference c! > Opportunity,Account,Contact,Task,User as LinkedEntity
  ContentDocumentId reference c! > ContentDocument as ContentDocument
  ShareType picklist(40) cuR = V;C;I
  Visibility picklist(40) cuR = AllUsers;InternalUsers;SharedUsers
  SystemModstamp datetime d
  IsDeleted boolean d
""",
    "PermissionSet 0PS Permission Set": """
  Name string(80)
  Label string(80)
  Description string(255)
  IsOwnedByProfile boolean
  ProfileId reference - > Profile as Profile
"""
    + _SYSTEM,
    "PermissionSetAssignment 0Pa Permission Set Assignment": """
  PermissionSetId reference c! > PermissionSet as PermissionSet
  AssigneeId reference c! > User as Assignee
  IsActive boolean d
  SystemModstamp datetime d
""",
    "FieldPermissions 01k Field Permissions": """
  ParentId reference - > PermissionSet as Parent
  SobjectType picklist(40)
  Field picklist(255)
  PermissionsRead boolean
  PermissionsEdit boolean
  SystemModstamp datetime d
""",
    "CustomField 00N Custom Field": """
  DeveloperName string(80)
  TableEnumOrId picklist(80)
  FullName string(255)
  NamespacePrefix string(15)
"""
    + _SYSTEM,
    "FlowDefinition 300 Flow Definition": """
  DeveloperName string(80)
  MasterLabel string(255)
  ActiveVersionId reference - > Flow as ActiveVersion
  LatestVersionId reference - > Flow as LatestVersion
"""
    + _SYSTEM,
    "Flow 301 Flow Version": """
  DefinitionId reference - > FlowDefinition as Definition
  MasterLabel string(255)
  Status picklist(40)
  ProcessType picklist(40)
  VersionNumber int(8.0)
"""
    + _SYSTEM,
    "WorkflowOutboundMessage 04k Outbound Message": """
  Name string(80)
  FullName string(255)
  EntityDefinitionId string(80)
"""
    + _SYSTEM,
    "RemoteProxy 0rp Remote Proxy": """
  SiteName string(80)
  EndpointUrl string(255)
  IsActive boolean
""",
    "CspTrustedSite 08y Trusted URL": """
  DeveloperName string(80)
  EndpointUrl string(255)
  IsActive boolean
""",
    "Name - Name": """
  Name string(255)
  FirstName string(40)
  LastName string(80)
  Email email(80)
  Phone phone(40)
  Title string(128)
  Type picklist(40)
  Username string(80)
  IsActive boolean
""",
}

TOOLING = ("CustomField", "FlowDefinition", "Flow", "WorkflowOutboundMessage", "RemoteProxy", "CspTrustedSite")
"""Objects that we show over the Tooling API only."""

CHILDREN = {
    "Account": {
        "Contacts": ("Contact", "AccountId"),
        "Opportunities": ("Opportunity", "AccountId"),
        "AccountTeamMembers": ("AccountTeamMember", "AccountId"),
        "Tasks": ("Task", "WhatId"),
        "Histories": ("AccountHistory", "AccountId"),
        "ContentDocumentLinks": ("ContentDocumentLink", "LinkedEntityId"),
    },
    "Contact": {
        "Tasks": ("Task", "WhoId"),
        "OpportunityContactRoles": ("OpportunityContactRole", "ContactId"),
        "Histories": ("ContactHistory", "ContactId"),
        "ContentDocumentLinks": ("ContentDocumentLink", "LinkedEntityId"),
    },
    "Opportunity": {
        "OpportunityContactRoles": ("OpportunityContactRole", "OpportunityId"),
        "OpportunityTeamMembers": ("OpportunityTeamMember", "OpportunityId"),
        "Tasks": ("Task", "WhatId"),
        "Events": ("Event", "WhatId"),
        "OpportunityHistories": ("OpportunityHistory", "OpportunityId"),
        "Histories": ("OpportunityFieldHistory", "OpportunityId"),
        "ContentDocumentLinks": ("ContentDocumentLink", "LinkedEntityId"),
    },
    "ContentDocument": {
        "ContentVersions": ("ContentVersion", "ContentDocumentId"),
        "ContentDocumentLinks": ("ContentDocumentLink", "ContentDocumentId"),
    },
    "PermissionSet": {
        "Assignments": ("PermissionSetAssignment", "PermissionSetId"),
        "FieldPerms": ("FieldPermissions", "ParentId"),
    },
}
"""Child relationships by parent: name → (child object, its field)."""

CASCADE = {
    "Account": (("Opportunity", "AccountId"), ("Contact", "AccountId"), ("Task", "WhatId")),
    "Opportunity": (("OpportunityContactRole", "OpportunityId"), ("Task", "WhatId"), ("Event", "WhatId")),
    "Contact": (("OpportunityContactRole", "ContactId"),),
    "ContentDocument": (
        ("ContentVersion", "ContentDocumentId"),
        ("ContentDocumentLink", "ContentDocumentId"),
        ("ContentNote", "Id"),
    ),
}
"""What goes to the recycle bin with a parent."""

LABELS = {
    "StageName": "Stage",
    "OwnerId": "Assigned To ID",
    "WhoId": "Name ID",
    "WhatId": "Related To ID",
    "ActivityDate": "Due Date Only",
    "Description": "Description",
    "RecordTypeId": "Record Type ID",
}
"""Labels that do not follow from the name."""
