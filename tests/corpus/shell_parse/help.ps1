Get-Help Get-Thing -Parameter *; help *-Object; Get-Command -Verb Get,Set -Noun T*; man -Examples where
