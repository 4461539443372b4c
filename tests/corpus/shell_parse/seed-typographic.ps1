Get–ReceiveConnector “Receive Connector Name” | Add—ADPermission –User „NT AUTHORITY\ANONYMOUS LOGON”
